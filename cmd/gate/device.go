package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"
	// defaultInterval between polls, and what slow_down adds (RFC 8628,
	// sections 3.2 and 3.5).
	defaultInterval = 5 * time.Second
	// maxInterval keeps a server from letting us sleep past any patience.
	maxInterval = time.Minute
)

// deviceFlow is a device flow that waits for a person (RFC 8628, section 3.2).
type deviceFlow struct {
	DeviceCode  string `json:"device_code"`
	UserCode    string `json:"user_code"`
	URI         string `json:"verification_uri"`
	URIComplete string `json:"verification_uri_complete"`
	ExpiresIn   int64  `json:"expires_in"`
	Interval    int64  `json:"interval"`

	server   server
	client   string
	verifier string
	ends     time.Time
	// resources that the login is for, when it cannot be narrowed later.
	resources []string
}

// tokens is the answer of a token endpoint (RFC 6749, section 5.1).
type tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"`
	Refresh   string `json:"refresh_token"`
	ID        string `json:"id_token"`
	Scope     string `json:"scope"`
}

// check refuses an answer that gate cannot use.
func (t tokens) check(issuer string) error {
	if t.Access == "" || !strings.EqualFold(t.Type, "Bearer") || strings.ContainsFunc(t.Access, notInToken) {
		return fail(exitFailed, "", "%s answered without a bearer token", issuer)
	}
	return nil
}

// notInToken tells what no access token holds (RFC 6750, section 2.1), so that
// none breaks a header or a line.
func notInToken(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }

// startDevice begins a device flow.
func (g *gate) startDevice(ctx context.Context, s server, client string, scopes, resources []string) (*deviceFlow, error) {
	if s.Device == "" {
		return nil, fail(exitFailed, "", "%s offers no sign-in for terminals (its metadata has no device_authorization_endpoint)", s.Issuer)
	}
	d := &deviceFlow{server: s, client: client, resources: resources}
	form := url.Values{"client_id": {client}, "resource": resources}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if slices.Contains(s.PKCE, "S256") {
		// Whoever sees the device code alone cannot redeem it.
		d.verifier = rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(d.verifier))
		form.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		form.Set("code_challenge_method", "S256")
	}
	r, err := g.http.post(ctx, s.Device, form)
	if err != nil {
		return nil, err
	}
	if err := answer(s.Issuer, r, form, d); err != nil {
		return nil, explainClient(err, client, scopes)
	}
	d.ends = g.env.now().Add(time.Duration(min(max(d.ExpiresIn, 0), 3600)) * time.Second)
	return d, d.check()
}

// check that what a person is told to open can be opened.
func (d *deviceFlow) check() error {
	issuer, err := url.Parse(d.server.Issuer)
	if err != nil {
		return err
	}
	if d.DeviceCode == "" || d.UserCode == "" || d.ExpiresIn <= 0 || len(d.UserCode) > 64 {
		return fail(exitFailed, "", "%s answered without a code", d.server.Issuer)
	}
	if _, err := parseNamed(d.URI, issuer); err != nil {
		return err
	}
	if d.URIComplete != "" {
		if _, err := parseNamed(d.URIComplete, issuer); err != nil {
			return err
		}
	}
	return nil
}

// poll waits until a person has answered and returns the tokens. Between polls
// it calls wait, which sleeps.
func (g *gate) poll(ctx context.Context, d *deviceFlow, wait func(context.Context, time.Duration) error) (tokens, error) {
	interval := defaultInterval
	if d.Interval > 0 {
		interval = min(time.Duration(d.Interval)*time.Second, maxInterval)
	}
	pause := interval
	for {
		left := d.ends.Sub(g.env.now())
		if left <= 0 {
			return tokens{}, expired()
		}
		if err := wait(ctx, min(pause, left)); err != nil {
			return tokens{}, err
		}
		t, err := g.pollOnce(ctx, d)
		if err == nil {
			return t, nil
		}
		again, after := passing(err)
		switch code := errorCode(err); {
		case ctx.Err() != nil:
			return tokens{}, ctx.Err()
		case code == "authorization_pending":
			pause = interval
		case code == "slow_down": // for this and all later polls (section 3.5)
			interval += defaultInterval
			pause = max(interval, after)
		case again:
			// The network or the server is down: less and less often, but the
			// person may well be approving meanwhile.
			pause = max(min(2*pause, maxInterval), after)
		default:
			return tokens{}, explainPoll(err, d)
		}
	}
}

func (g *gate) pollOnce(ctx context.Context, d *deviceFlow) (tokens, error) {
	form := url.Values{"grant_type": {grantDevice}, "device_code": {d.DeviceCode}, "client_id": {d.client}, "resource": d.resources}
	if d.verifier != "" {
		form.Set("code_verifier", d.verifier)
	}
	var t tokens
	r, err := g.http.post(ctx, d.server.Token, form)
	if err != nil {
		return t, err
	}
	if err := answer(d.server.Issuer, r, form, &t); err != nil {
		return t, err
	}
	return t, t.check(d.server.Issuer)
}

func expired() error {
	return fail(exitSignIn, "Run the command again for a new code.", "the code has expired; nobody approved it in time")
}

// explainPoll says what the end of a device flow means.
func explainPoll(err error, d *deviceFlow) error {
	switch errorCode(err) {
	case "expired_token":
		return expired()
	case "access_denied":
		return fail(exitRefused, "If that was a mistake, run the command again.", "the sign-in was refused")
	case "invalid_grant":
		return fail(exitSignIn, "Run the command again.", "%s does not know this sign-in any more, or its answer was lost on the way", d.server.Issuer)
	}
	return explainClient(err, d.client, nil)
}

// explainClient says what to do about a client that the issuer does not know,
// or that may not do this.
func explainClient(err error, client string, scopes []string) error {
	e, ok := errors.AsType[*oauthError](err)
	if !ok {
		return err
	}
	switch {
	case e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.status == http.StatusUnauthorized:
		return &failure{code: exitRefused, err: err, fix: clientBlock(client)}
	case e.Code == "invalid_scope":
		return &failure{
			code: exitRefused, err: err,
			fix: "The client may not ask for: " + strings.Join(scopes, " ") + ". Ask for less: gate login --scope \"openid offline_access\" URL",
		}
	case e.Code == "invalid_target":
		return &failure{
			code: exitRefused, err: err,
			fix: "The block of client " + client + " must list the site: resources https://SITE; or have first_party, for any site.",
		}
	}
	if again, _ := passing(err); again {
		return &failure{code: exitUnreachable, err: err, fix: "Try again in a moment."}
	}
	return err
}

// clientBlock is what the operator adds so that the issuer knows the client.
func clientBlock(client string) string {
	return `The issuer does not let the client ` + client + ` sign in from a terminal. Whoever runs it
can add this to the global options of its Caddyfile (without "gate_client off"):

{
	gatehouse {
		client ` + client + ` {
			public
			first_party
			grants device_code refresh_token
			scopes openid profile email offline_access
		}
	}
}

If it knows another client for that, name it: gate login --client ID URL`
}

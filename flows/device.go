package flows

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/usercode"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// The device flow (RFC 8628).
const (
	deviceValidity = 10 * time.Minute
	deviceInterval = 5 * time.Second
	// userCodeKept is how long a user code is told from an unknown one: as long
	// again after it has expired.
	userCodeKept  = 2 * deviceValidity
	userCodeTries = 5
)

func deviceKey(id uuid.UUID) string { return "device:" + id.String() }

// deviceRequest is what a device asks for, while nobody has approved it.
type deviceRequest struct {
	Client    string   `json:"c"`
	Scope     string   `json:"o,omitempty"`
	Resource  []string `json:"x,omitempty"`
	Address   string   `json:"a,omitempty"`
	UserAgent string   `json:"u,omitempty"`
	Begun     int64    `json:"t"`
}

// serveDevice starts a device flow (RFC 8628, section 3.1).
func (g *Gateway) serveDevice(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	req, err := g.clientRequest(r, at, deviceParameters)
	if err == nil {
		err = g.startDevice(w, req)
	}
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
	}
}

func (g *Gateway) startDevice(w http.ResponseWriter, req *endpointRequest) error {
	ctx, form := req.Context(), req.PostForm
	if !req.client.Allows(client.GrantDevice) {
		return invalid("unauthorized_client", "the client may not use the device flow")
	}
	scope, leftOut, err := req.client.PersonScope(form.Get("scope"))
	if err != nil {
		return err
	}
	g.logLeftOut(ctx, req.client.ID, leftOut)
	resource, err := g.allowedResources(req.at, req.client, form["resource"])
	if err != nil {
		return err
	}
	challenge := form.Get("code_challenge")
	// A method alone means that the challenge got lost on the way.
	sent := form.Has("code_challenge") || form.Has("code_challenge_method")
	if sent && (form.Get("code_challenge_method") != "S256" || !client.ValidChallenge(challenge)) {
		return invalid("invalid_request", "code_challenge must be one of S256")
	}
	id, secret := handle.NewID(g.Now(), g.Random), g.Keyring.Random(32)
	key := deviceKey(id)
	value := sealed.Seal(g.Keyring, "flow", []byte(key), deviceRequest{
		Client: req.client.ID, Scope: strings.Join(scope, " "), Resource: resource, Address: req.ClientIP,
		UserAgent: shortUserAgent(req.UserAgent()), Begun: g.Now().Unix(),
	})
	err = g.startFlow(ctx, cache.NewFlow{
		Key: key, State: cache.Pending, Value: value, Proof: authcode.Proof(secret, req.at.ID(), req.client.ID, "device", challenge, ""),
		Validity: deviceValidity, Interval: deviceInterval, Owner: deviceOwner(req.ClientIP),
	})
	if err != nil {
		return err
	}
	userCode, err := g.newUserCode(req, key)
	if err != nil {
		_ = g.Cache.DeleteFlow(ctx, key, deviceOwner(req.ClientIP))
		return err
	}
	shown := usercode.Format(userCode)
	verification := req.at.URL("device")
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": handle.MintCode(id, secret), "user_code": shown,
		"verification_uri":          verification,
		"verification_uri_complete": verification + "?" + url.Values{"user_code": {shown}}.Encode(),
		"expires_in":                seconds(deviceValidity), "interval": seconds(deviceInterval),
	})
	return nil
}

// shortUserAgent is as much of a User-Agent as is kept: a device must not fail
// for what nobody judges by.
func shortUserAgent(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), tokenstore.MaxUserAgent)], "")
}

// newUserCode draws a code that no live flow has.
func (g *Gateway) newUserCode(req *endpointRequest, key string) (string, error) {
	for range userCodeTries {
		code := usercode.New(g.Keyring)
		err := g.Cache.SetAlias(req.Context(), usercode.Alias(g.Keyring, code, req.at.ID()), key, userCodeKept)
		if err == nil {
			return code, nil
		}
		if !errors.Is(err, cache.ErrExists) {
			return "", err
		}
	}
	g.Logger.ErrorContext(req.Context(), "no free user code was found", "tries", userCodeTries)
	return "", &oauthError{
		Code: "temporarily_unavailable", Description: "too many devices are waiting for approval",
		Status: http.StatusServiceUnavailable, RetryAfter: "60",
	}
}

// findDevice returns the pending request of a user code, which is good where it
// was issued.
func (g *Gateway) findDevice(r *web.Request, at web.Issuer, code string) (string, deviceRequest, error) {
	var d deviceRequest
	var key string
	err := cache.ErrNotFound
	for _, alias := range usercode.Aliases(g.Keyring, code, at.ID()) {
		if key, err = g.Cache.Alias(r.Context(), alias); !errors.Is(err, cache.ErrNotFound) {
			break
		}
	}
	if err != nil {
		return "", d, err
	}
	flow, err := g.Cache.Flow(r.Context(), key)
	if err != nil {
		return "", d, err
	}
	d, err = g.openDevice(flow)
	return key, d, err
}

package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// SignsOut reports whether people are to be signed out at the provider too.
func (p *Provider) SignsOut() bool { return p.config.SignOut }

// EndSessionURL is where to send the browser so that the provider ends its
// session too (OpenID Connect RP-Initiated Logout), or "" when the provider has
// no such page. The ID token of the sign-in spares the user a question.
// ErrUnavailable.
func (p *Provider) EndSessionURL(ctx context.Context, idToken, redirectURI, state string) (string, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return "", p.unavailable("signing out", err)
	}
	if m.EndSessionURL == "" {
		return "", nil
	}
	u, err := url.Parse(m.EndSessionURL)
	if err != nil {
		return "", p.unavailable("signing out", errors.New("its endpoint is no URL"))
	}
	q := u.Query()
	q.Set("client_id", p.config.ClientID)
	for name, value := range map[string]string{
		"id_token_hint": idToken, "post_logout_redirect_uri": redirectURI, "state": state,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Logout is a verified logout token.
type Logout = provider.Logout

// TellsLogouts reports whether there are logout tokens, which need keys.
func (p *Provider) TellsLogouts() bool { return !p.config.Plain }

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// VerifyLogout checks a logout token (OpenID Connect Back-Channel Logout,
// section 2.6). ErrResponse, ErrUnavailable.
func (p *Provider) VerifyLogout(ctx context.Context, raw string) (Logout, error) {
	if !p.TellsLogouts() {
		return Logout{}, p.refuse("logout token", errors.New("the provider has no keys to verify it with"))
	}
	m, err := p.metadata.get(ctx)
	if err != nil {
		return Logout{}, p.unavailable("verifying a logout token", err)
	}
	if err := checkHeader(raw, "logout+jwt"); err != nil {
		return Logout{}, p.refuse("logout token", err)
	}
	keys := p.keySet()
	keys.interval = renewInterval // anybody may send one
	token, err := p.verifier(m, keys).VerifyLogout(ctx, raw)
	if err != nil {
		return Logout{}, p.verificationFailed("logout token", keys, err)
	}
	claims, err := payloadOf(token)
	if err != nil {
		return Logout{}, p.refuse("logout token", err)
	}
	now := p.config.Now()
	if err := claims.checkCommon(&p.config, now); err != nil {
		return Logout{}, p.refuse("logout token", err)
	}
	if err := claims.checkLogout(); err != nil {
		return Logout{}, p.refuse("logout token", err)
	}
	return Logout{
		Subject: p.config.idOf(claims), Session: textOf(claims["sid"]),
		TokenID: textOf(claims["jti"]), ExpiresAt: token.Expiry.Add(leeway),
	}, nil
}

func (s claimSet) checkLogout() error {
	// Else an ID token would pass.
	if _, ok := s["nonce"]; ok {
		return errors.New("it has a nonce")
	}
	var events claimSet
	if json.Unmarshal(s["events"], &events) != nil || !bytes.HasPrefix(events[logoutEvent], []byte("{")) {
		return errors.New("it tells of no logout")
	}
	for _, name := range []string{"sub", "sid"} {
		if s.has(name) && textOf(s[name]) == "" {
			return errors.New("its " + name + " is unfit")
		}
	}
	if textOf(s["sub"]) == "" && textOf(s["sid"]) == "" {
		return errors.New("it names neither a user nor a session")
	}
	if textOf(s["jti"]) == "" {
		return errors.New("its jti is missing")
	}
	return nil
}

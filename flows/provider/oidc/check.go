package oidc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Check asks the provider whether it works with this configuration: for its metadata
// and keys, whether it knows the client and its secret, and whether it would answer to
// the redirect URIs. Nobody is signed in, and no token is obtained.
func (p *Provider) Check(ctx context.Context, redirectURIs []string) (warnings []string, err error) {
	m, err := p.fetchMetadata(ctx)
	if err != nil {
		return nil, p.unavailable("asking for the metadata", err)
	}
	if !p.config.Plain {
		if _, err := p.fetchKeysOf(ctx, m); err != nil {
			return nil, p.unavailable("asking for the keys", err)
		}
	}
	warnings = p.doubts(m)
	if len(redirectURIs) == 0 {
		return warnings, nil
	}
	if err := p.checkClientAt(ctx, m, redirectURIs[0]); err != nil {
		return warnings, err
	}
	for _, uri := range redirectURIs {
		if err := p.checkRedirectURI(ctx, m, uri); err != nil {
			return warnings, err
		}
	}
	return warnings, nil
}

// doubts are what in the metadata does not go with the configuration.
func (p *Provider) doubts(m *metadata) []string {
	var doubts []string
	if p.config.tokensOnly() {
		return nil
	}
	for _, scope := range p.scopes(m) {
		if len(m.Scopes) > 0 && !slices.Contains(m.Scopes, scope) {
			doubts = append(doubts, "it does not list the scope "+scope+" among those that it supports")
		}
	}
	if p.config.SignOut && m.EndSessionURL == "" {
		doubts = append(doubts, "sign_out is set, and it has no end_session_endpoint: people stay signed in there")
	}
	return doubts
}

// invalidCode is a code that no provider has given.
const invalidCode = "this-is-no-code.doctor-asks-whether-the-client-is-known"

// checkClientAt redeems a code that is none: whoever answers that the code is bad has
// accepted the client.
func (p *Provider) checkClientAt(ctx context.Context, m *metadata, redirectURI string) error {
	const doing = "asking whether it knows the client"
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {invalidCode}, "redirect_uri": {redirectURI}, "code_verifier": {strings.Repeat("v", 43)},
	}
	req, err := p.formRequest(ctx, m, m.TokenURL, form)
	if err != nil {
		return p.unavailable(doing, err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return p.unavailable(doing, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return p.unavailable(doing, err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return p.unavailable(doing, fmt.Errorf("%s answers %d", m.TokenURL, resp.StatusCode))
	}
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &answer)
	if answer.Error == "" && resp.StatusCode != http.StatusUnauthorized && !json.Valid(body) { // RFC 6749, section 5.2
		return p.misconfigured(doing, fmt.Errorf("%s answers %d, and no JSON; is that the token endpoint?", m.TokenURL, resp.StatusCode))
	}
	if answer.Error == "invalid_client" || answer.Error == "unauthorized_client" || answer.Error == "redirect_uri_mismatch" ||
		answer.Error == "" && resp.StatusCode == http.StatusUnauthorized {
		said := fmt.Sprintf("%d", resp.StatusCode)
		if answer.Error != "" {
			sent := []string{p.config.ClientSecret, form.Get("client_secret"), form.Get("client_assertion")}
			said = fmt.Sprintf("%q (%s)", outbound.Without(answer.Error, sent...), outbound.Without(answer.Description, sent...))
		}
		return p.misconfigured(doing, fmt.Errorf("it answers %s; %s", said, cmp.Or(p.cureOf(answer.Error), p.cureOf("invalid_client"))))
	}
	return nil
}

// harmless are errors of an authorization endpoint to prompt=none that say that the
// request was in order.
var harmless = []string{
	"", "login_required", "interaction_required", "consent_required", "account_selection_required", "access_denied", "temporarily_unavailable",
}

// checkRedirectURI begins a sign-in in which nobody may be asked anything. A provider
// that comes back to the address knows it; one that shows an error does not. What shows
// a page says nothing, and what cannot be reached from here, browsers may reach.
func (p *Provider) checkRedirectURI(ctx context.Context, m *metadata, uri string) error {
	const doing = "asking whether it knows the redirect URI"
	location, err := p.AuthURL(ctx, provider.AuthRequest{
		State: "doctor", Nonce: "doctor", Verifier: strings.Repeat("v", 43), RedirectURI: uri, Prompt: "none", MaxAge: -1,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return p.unavailable(doing, errors.New("its authorization_endpoint is no URL"))
	}
	req.Header.Set("Accept", "text/html")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil //nolint:nilerr // browsers reach it, perhaps by a name that is not known here
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body) // as much of it as there is
	if cure := p.faultOf(page, resp.Header.Get("Location")); cure != "" {
		return p.misconfigured(doing, errors.New(cure+"; the redirect URI is "+uri))
	}
	back, err := url.Parse(resp.Header.Get("Location"))
	switch {
	case resp.StatusCode >= http.StatusBadRequest && resp.StatusCode < http.StatusInternalServerError:
		return p.misconfigured(doing, fmt.Errorf("it answers %d to a sign-in: is the redirect URI %s registered there?", resp.StatusCode, uri))
	case err != nil, !strings.HasPrefix(back.String(), uri):
		return nil //nolint:nilerr // a page of its own
	}
	code := back.Query().Get("error")
	if slices.Contains(harmless, code) {
		return nil
	}
	said := fmt.Sprintf("it answers %q to a sign-in (%s)", outbound.Printable(code), outbound.Printable(back.Query().Get("error_description")))
	if cure := p.cureOf(code); cure != "" {
		said += "; " + cure
	}
	return p.misconfigured(doing, errors.New(said))
}

// faultOf is what to do about a fault that a page of the provider's tells, or its
// address, or "". Such a page has a status of success at some.
func (p *Provider) faultOf(page []byte, location string) string {
	for _, text := range slices.Sorted(maps.Keys(p.config.PageFaults)) {
		if bytes.Contains(page, []byte(text)) || strings.Contains(location, text) {
			return p.config.PageFaults[text] + " (it says " + text + ")"
		}
	}
	return ""
}

func (p *Provider) misconfigured(doing string, err error) error {
	return p.unavailable(doing, fmt.Errorf("%w: %w", provider.ErrMisconfigured, err))
}

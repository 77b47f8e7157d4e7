package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Limits of the further claims that are kept: their number, and their size as JSON,
// of each and of all of one user, in bytes.
const (
	maxKept      = 50
	maxKeptTotal = 6 << 10
)

// notKept are claims that cannot be kept as further ones, with what serves instead:
// the protocol's own say nothing of the user, and an address counts only with its
// verdict.
var notKept = map[string]string{
	"email":          "the address is kept anyway: write the condition email or domain",
	"email_verified": "the address is kept anyway, and whether it is verified: write the condition email or domain",
	"sub":            "the subject is kept anyway: without a verified address the user is called PROVIDER:SUB",
}

var protocolClaims = []string{
	"iss", "aud", "azp", "exp", "nbf", "iat", "jti", "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "acr", "amr", "sid", "cnf",
	"client_id", "scope", "_claim_names", "_claim_sources", "hasgroups",
}

// CheckKept refuses a name that cannot be a further claim.
func CheckKept(name string) error {
	switch {
	case notKept[name] != "":
		return fmt.Errorf("claims %s: %s", name, notKept[name])
	case slices.Contains(protocolClaims, name):
		return fmt.Errorf("claims %s: this is a claim of the protocol, and cannot be kept", name)
	case name == "" || len(name) > maxValue || strings.ContainsFunc(name, outbound.Unfit):
		return fmt.Errorf("claims %.40q: no claim can be called that", name)
	}
	return nil
}

// kept are the names of all further claims.
func (c *Config) kept() []string {
	return joinScopes(c.ExtraClaims, c.AccessTokenClaims)
}

func (c *Config) checkKept() error {
	if n := len(c.kept()); n > maxKept {
		return fmt.Errorf("claims: there are %d, and at most %d are kept", n, maxKept)
	}
	for _, name := range c.kept() {
		if err := CheckKept(name); err != nil {
			return err
		}
	}
	for _, name := range c.AccessTokenClaims {
		if slices.Contains(c.ExtraClaims, name) {
			return fmt.Errorf("the claim %s is to be read from the access token, and from the ID token or userinfo too: write it once", name)
		}
	}
	return nil
}

// readKept reads the further claims, in the order in which they are configured. One
// that is announced elsewhere or too large is not known.
func (p *Provider) readKept(ctx context.Context, c *identity.Claims, t *told) {
	total := 0
	for _, name := range p.config.kept() {
		raw, cause := t.find(name)
		var value any
		var err error
		if cause == "" && raw != nil {
			if len(raw) > maxExtra || total+len(raw) > maxKeptTotal {
				cause, err = identity.CauseSize, fmt.Errorf("it has %d bytes; at most %d are kept of one claim, and %d of all of a user", len(raw), maxExtra, maxKeptTotal)
			} else if err = json.Unmarshal(raw, &value); err != nil || !utf8.Valid(raw) {
				cause, err = identity.CauseShape, errors.New("it is no JSON that can be kept")
			}
		}
		switch {
		case cause == identity.CauseUnavailable && p.needs.Claims < identity.Perhaps:
			// Only shown, and the next recheck tells it.
		case cause != "":
			c.SetUnread(identity.KeptClaim(name), cause)
			p.logUnread(ctx, c, name, cause, err)
		case raw != nil:
			if c.Extra == nil {
				c.Extra = make(map[string]any)
			}
			c.Extra[name] = value
			total += len(raw)
		}
	}
}

// keepKept is keepUntold for the further claims. What is shown stays.
func (p *Provider) keepKept(ctx context.Context, t *told, now *identity.Claims, was identity.Claims) {
	for _, name := range p.config.kept() {
		key := identity.KeptClaim(name)
		value, had := was.Extra[name]
		if !had && !was.IsUnread(key) {
			continue
		}
		p.keepUntold(ctx, t, now, was, key, name)
		if had && now.IsUnread(key) && now.Unread[key] != identity.CauseShape && now.Unread[key] != identity.CauseSize {
			if now.Extra == nil {
				now.Extra = make(map[string]any)
			}
			now.Extra[name] = value
		}
	}
}

// lacksKept reports whether the ID token lacks a further claim that userinfo may have.
func (p *Provider) lacksKept(t *told) bool { return slices.ContainsFunc(p.config.ExtraClaims, t.lacks) }

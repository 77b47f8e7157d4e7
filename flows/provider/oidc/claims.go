package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// identify makes of a provider's claims who somebody is.
func (p *Provider) identify(ctx context.Context, s claimSet) (identity.Claims, error) {
	if hd := p.config.HostedDomain; hd != "" && s.text("hd") != hd {
		return identity.Claims{}, errors.New("the account does not belong to the hosted domain")
	}
	groups, err := p.groups(s)
	if err != nil {
		return identity.Claims{}, err
	}
	c := identity.Claims{
		Provider: p.config.Name, Issuer: p.config.Issuer, ID: textOf(s["sub"]),
		Email: textOf(s["email"]), Name: textOf(s["name"]), Groups: groups,
		ACR: textOf(s["acr"]), ProviderSession: textOf(s["sid"]),
		Extra: p.extra(ctx, s),
	}
	c.EmailVerified = c.Email != "" && p.emailVerified(s)
	if at, ok, err := s.date("auth_time"); ok && err == nil {
		c.AuthTime = at
	}
	if s.has("amr") {
		c.AMR, _ = textsOf(s["amr"])
	}
	if c.User, err = p.user(&c, s); err != nil {
		return identity.Claims{}, err
	}
	return c, nil
}

// emailVerified takes true, and "true" as Amazon Cognito writes it. The claim
// is missing at Microsoft Entra, where a tenant's administrator can set any
// address: only the option makes that verified.
func (p *Provider) emailVerified(s claimSet) bool {
	if !s.has("email_verified") {
		return p.config.TrustEmail
	}
	v := string(s["email_verified"])
	return v == "true" || v == `"true"`
}

func (p *Provider) user(c *identity.Claims, s claimSet) (string, error) {
	email := c.VerifiedEmail()
	switch name := p.config.UserClaim; {
	case name == "email" && email == "":
		return "", errors.New("it has no verified e-mail address, which is to be the user's name")
	case name == "email", name == "" && email != "":
		return email, nil
	case name == "":
		return p.config.Name + ":" + c.ID, nil
	default:
		if v := s.text(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("its claim %s, which is to be the user's name, is missing or unfit", name)
	}
}

// groups refuses rather than cuts: a group that a policy denies must not be
// lost behind a thousand that somebody made.
func (p *Provider) groups(s claimSet) ([]string, error) {
	raw, ok := s.lookup(p.config.GroupsClaim)
	if !ok {
		if s.delegated(p.config.GroupsClaim) {
			return nil, errors.New("it has too many groups, and names another place to fetch them from")
		}
		return nil, nil
	}
	groups, err := textsOf(raw)
	if err != nil {
		return nil, fmt.Errorf("its groups: %w", err)
	}
	return groups, nil
}

// delegated tells whether a claim is to be fetched elsewhere (OpenID Connect
// Core, section 5.6.2; Microsoft Entra's "groups overage").
func (s claimSet) delegated(name string) bool {
	var names claimSet
	return s.has("_claim_names") && json.Unmarshal(s["_claim_names"], &names) == nil && names.has(name)
}

func (p *Provider) extra(ctx context.Context, s claimSet) map[string]any {
	var extra map[string]any
	for _, name := range p.config.ExtraClaims {
		raw, ok := s.lookup(name)
		if !ok {
			continue
		}
		var v any
		if len(raw) > maxExtra || json.Unmarshal(raw, &v) != nil {
			p.config.Logger.WarnContext(ctx, "leaving out a claim that is too long",
				slog.String("provider", p.config.Name), slog.String("claim", name))
			continue
		}
		if extra == nil {
			extra = make(map[string]any)
		}
		extra[name] = v
	}
	return extra
}

// needsUserInfo tells whether the ID token alone does not do.
func (p *Provider) needsUserInfo(s claimSet) bool {
	if p.config.UserInfo {
		return true
	}
	if p.config.UserClaim != "" {
		if _, ok := s.lookup(p.config.UserClaim); !ok {
			return true
		}
	}
	return !s.has("email") && slices.Contains(p.config.Scopes, "email")
}

// quoted is a string as a claim.
func quoted(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string always can
	return raw
}

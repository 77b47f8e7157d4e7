package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// identify makes of a provider's claims who somebody is.
func (p *Provider) identify(ctx context.Context, t *told) (identity.Claims, error) {
	c, err := p.read(ctx, t)
	if err != nil {
		return identity.Claims{}, err
	}
	if c.User, err = p.user(&c, t); err != nil {
		return identity.Claims{}, err
	}
	return c, nil
}

// read reads all but the user's name.
func (p *Provider) read(ctx context.Context, t *told) (identity.Claims, error) {
	if hd := p.config.HostedDomain; hd != "" && t.signed && t.idToken.text("hd") != hd {
		return identity.Claims{}, errors.New("the account does not belong to the hosted domain")
	}
	c := identity.Claims{
		Provider: p.config.Name, Issuer: p.Issuer(), ID: p.identityOf(t), Name: t.text("name"),
		ACR: textOf(t.idToken["acr"]), ProviderSession: textOf(t.idToken["sid"]),
	}
	var cause identity.Cause
	if c.Email, c.EmailVerified, cause = t.address(p.config.VerifiedClaim, p.trustsEmail); cause != "" {
		c.SetUnread(identity.ClaimEmail, cause)
		p.logUnread(ctx, &c, "email", cause, nil)
	}
	p.logUnverified(ctx, t, &c)
	c.DomainUnverified = p.isOfAnotherDomain(t, c.Email)
	if raw, cause := t.find(p.config.GroupsClaim); cause != "" {
		c.SetUnread(identity.ClaimGroups, cause)
		p.logUnread(ctx, &c, p.config.GroupsClaim, cause, nil)
	} else if raw != nil {
		p.readGroups(ctx, &c, raw)
	} else if p.needs.Groups == identity.Judged && !t.mentions(p.config.GroupsClaim) {
		p.hintGroups(ctx)
	}
	p.readKept(ctx, &c, t)
	if at, ok, err := t.idToken.date("auth_time"); ok && err == nil {
		c.AuthTime = at
	}
	if t.idToken.has("amr") {
		c.AMR = textsOf(t.idToken["amr"])
	}
	return c, nil
}

func (p *Provider) readGroups(ctx context.Context, c *identity.Claims, raw json.RawMessage) {
	groups, err := readGroups(raw, p.config.GroupsAs)
	if err == nil && p.config.GroupsAreIDs && slices.ContainsFunc(groups, isNoID) {
		err = errors.New("one is not an id, and any tenant can give a group any name: name the tenants that may sign in, or have the token hold the ids of groups")
	}
	if err != nil {
		c.SetUnread(identity.ClaimGroups, identity.CauseShape)
		p.logUnread(ctx, c, p.config.GroupsClaim, identity.CauseShape, err)
		return
	}
	c.Groups = groups
}

// hintGroups says once that a claim with groups was not there. Many providers leave
// it out for who is in none; others do so for everybody until they are asked for it,
// and then a line that denies by a group denies nobody.
func (p *Provider) hintGroups(ctx context.Context) {
	p.noGroups.Do(func() {
		p.config.Logger.WarnContext(ctx, "a rule is about groups, but the provider said nothing of them at this sign-in; if it never does, request them (scopes), or name their claim (groups_claim)",
			slog.String("provider", p.config.Name), slog.String("claim", p.config.GroupsClaim))
	})
}

// cures are what an operator can do about a claim that is not known.
var cures = map[identity.Cause]string{
	identity.CauseShape:       "have the provider send a known shape (groups: a list of strings), or name the shape with groups_claim NAME as …",
	identity.CauseSize:        "have the provider send less",
	identity.CauseElsewhere:   "the provider names another place to fetch it from, as it does with very many groups: have it send fewer, such as those assigned to the application",
	identity.CauseRefused:     "the provider's userinfo endpoint refuses the access token: check the scopes, or have the provider put the claim into the ID token and set userinfo never",
	identity.CauseUnavailable: "the provider's userinfo endpoint did not answer; the next sign-in asks again",
	identity.CauseUntold:      "the provider sent it at the sign-in but not when it was asked again; the next sign-in asks for it",
}

func (p *Provider) logUnread(ctx context.Context, c *identity.Claims, claim string, cause identity.Cause, err error) {
	attributes := []any{
		slog.String("provider", p.config.Name), slog.String("claim", claim), slog.String("subject", c.ID),
		slog.String("reason", string(cause)), slog.String("cure", cures[cause]),
	}
	if err != nil {
		attributes = append(attributes, slog.Any("error", err))
	}
	p.config.Logger.WarnContext(ctx, "a provider's claim cannot be read, so rules about it refuse this user", attributes...)
}

// isCalledByEmail reports whether users are called by their address.
func (p *Provider) isCalledByEmail() bool {
	return p.config.UserClaim == "" || p.config.UserClaim == "email"
}

func (p *Provider) user(c *identity.Claims, t *told) (string, error) {
	email := c.VerifiedEmail()
	switch name := p.config.UserClaim; {
	case name == "email" && email == "":
		return "", p.unnamed(t, errors.New("it has no verified e-mail address, which the user name is taken from; set user_claim to another claim"))
	case name == "email", name == "" && email != "":
		return email, nil
	case name == "":
		return p.config.Name + ":" + c.ID, nil
	default:
		if v := t.text(name); v != "" {
			return v, nil
		}
		return "", p.unnamed(t, fmt.Errorf("its claim %s, which the user name is taken from, is missing or invalid", name))
	}
}

func (p *Provider) unnamed(t *told, err error) error {
	if t.lost != "" {
		return fmt.Errorf("%w: %w (%s)", provider.ErrWithheld, err, cures[t.lost])
	}
	return err
}

// quoted is a string as a claim.
func quoted(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string always can
	return raw
}

// asksFor reports whether a scope is asked for.
func (p *Provider) asksFor(scope string) bool { return slices.Contains(p.config.Scopes, scope) }

package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

const (
	maxValue  = 255
	maxGroups = 1000
	perPage   = 100
)

type user struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
	Type  string `json:"type"`
}

type address struct {
	Email    string `json:"email"`
	Primary  bool   `json:"primary"`
	Verified bool   `json:"verified"`
}

type organisation struct {
	Login string `json:"login"`
}

type team struct {
	Slug         string       `json:"slug"`
	Organisation organisation `json:"organization"`
}

// identify asks who the token's user is. The public address in the profile is
// not looked at: only /user/emails tells what is verified.
func (p *Provider) identify(ctx context.Context, token provider.Token) (identity.Claims, error) {
	c, login, err := p.read(ctx, token)
	if err != nil {
		return identity.Claims{}, err
	}
	if c.User, err = p.userName(&c, login); err != nil {
		return identity.Claims{}, p.refuse(err)
	}
	return c, nil
}

// read reads all but the user's name, and the login.
func (p *Provider) read(ctx context.Context, token provider.Token) (c identity.Claims, login string, err error) {
	var u user
	err = p.get(ctx, "/user", token, &u)
	switch {
	case isRefusal(err):
		return c, "", p.refuse(fmt.Errorf("%w: %w", provider.ErrWithheld, err))
	case err != nil:
		return c, "", err
	}
	if u.ID <= 0 || !fit(u.Login) || u.Type == "Organization" {
		return c, "", p.refuse(errors.New("it does not say who the user is"))
	}
	c = identity.Claims{
		Provider: p.config.Name, Issuer: p.config.BaseURL, ID: strconv.FormatInt(u.ID, 10),
	}
	if fit(u.Name) {
		c.Name = u.Name
	}
	if err := p.address(ctx, token, &c); err != nil {
		return c, "", err
	}
	return c, u.Login, p.groups(ctx, token, &c)
}

func (p *Provider) userName(c *identity.Claims, login string) (string, error) {
	email := c.VerifiedEmail()
	switch {
	case p.config.UserClaim == "login":
		return login, nil
	case email != "":
		return email, nil
	case p.config.UserClaim == "email" && c.IsUnread(identity.ClaimEmail):
		return "", fmt.Errorf("%w: the e-mail addresses, which the user name is taken from", provider.ErrWithheld)
	case p.config.UserClaim == "email":
		return "", errors.New("the user has no verified primary e-mail address")
	}
	return p.config.Name + ":" + c.ID, nil
}

// address finds the primary address. Others, which people add and remove as they
// like, are not looked at.
func (p *Provider) address(ctx context.Context, token provider.Token, c *identity.Claims) error {
	if !p.hasScope(token, scopeEmail) && !p.hasScope(token, "user") {
		if slices.Contains(p.config.Scopes, scopeEmail) {
			p.unread(ctx, c, identity.ClaimEmail, identity.CauseRefused, errors.New("the user did not grant "+scopeEmail))
		}
		return nil
	}
	var all []address
	err := p.get(ctx, "/user/emails?per_page=100", token, &all)
	if isRefusal(err) {
		p.unread(ctx, c, identity.ClaimEmail, identity.CauseRefused, err)
		return nil
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(a address) bool { return a.Primary })
	switch {
	case i < 0 && len(all) > 0, i >= 0 && !fit(all[i].Email):
		p.unread(ctx, c, identity.ClaimEmail, identity.CauseShape, errors.New("none of the addresses is the primary one, or it is unfit"))
	case i >= 0:
		c.Email, c.EmailVerified = all[i].Email, all[i].Verified
	}
	return nil
}

// groups are the organisations and teams. Names are lower-cased, since GitHub
// takes them in any case. They are known all or not at all: a group that a policy
// denies must not be lost behind others, and a user may grant less than was asked
// for, and so hide it.
func (p *Provider) groups(ctx context.Context, token provider.Token, c *identity.Claims) error {
	if !slices.Contains(p.config.Scopes, scopeOrgs) {
		return nil
	}
	if !p.hasScope(token, scopeOrgs) && !p.hasScope(token, "write:org") && !p.hasScope(token, "admin:org") {
		p.unread(ctx, c, identity.ClaimGroups, identity.CauseRefused, errors.New("the user did not grant "+scopeOrgs))
		return nil
	}
	orgs, err := pages[organisation](ctx, p, "/user/orgs", token)
	var teams []team
	if err == nil {
		teams, err = pages[team](ctx, p, "/user/teams", token)
	}
	switch {
	case isRefusal(err):
		p.unread(ctx, c, identity.ClaimGroups, identity.CauseRefused, err)
		return nil
	case errors.Is(err, errTooMany):
		p.unread(ctx, c, identity.ClaimGroups, identity.CauseShape, err)
		return nil
	case err != nil:
		return err
	}
	names := make([]string, 0, len(orgs)+len(teams))
	for _, o := range orgs {
		names = append(names, o.Login)
	}
	for _, t := range teams {
		names = append(names, t.Organisation.Login+"/"+t.Slug)
	}
	for i, name := range names {
		// Only of ASCII: the Kelvin sign is a "k" in lower case.
		if names[i] = strings.ToLower(name); !isASCII(name) || !IsGroup(names[i]) {
			p.unread(ctx, c, identity.ClaimGroups, identity.CauseShape, errors.New("one has characters that no name has"))
			return nil
		}
	}
	c.Groups = names
	return nil
}

func (p *Provider) unread(ctx context.Context, c *identity.Claims, claim string, cause identity.Cause, err error) {
	c.SetUnread(claim, cause)
	p.config.Logger.WarnContext(ctx, "a claim from GitHub cannot be read, so rules about it refuse this user",
		slog.String("provider", p.config.Name), slog.String("claim", claim), slog.String("subject", c.ID), slog.String("reason", string(cause)),
		slog.Any("error", err), slog.String("cure", "grant the app the scopes "+scopeEmail+" and "+scopeOrgs+"; a GitHub App, the permissions to read e-mail addresses and members"))
}

// isRefusal reports whether GitHub will not say it: an app without the permission.
func isRefusal(err error) bool {
	refused, ok := errors.AsType[*outbound.StatusError](err)
	return ok && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound) && refused.IsRefusal()
}

// pages reads a list to its end, page by page, by number: a link in the answer
// is not followed.
func pages[T any](ctx context.Context, p *Provider, path string, token provider.Token) ([]T, error) {
	var all []T
	for page := 1; ; page++ {
		var some []T
		if err := p.get(ctx, fmt.Sprintf("%s?per_page=%d&page=%d", path, perPage, page), token, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(all) > maxGroups {
			return nil, errTooMany
		}
		if len(some) < perPage {
			return all, nil
		}
	}
}

func (p *Provider) get(ctx context.Context, path string, token provider.Token, into any) error {
	body, err := outbound.GetJSON(ctx, p.client, p.config.APIURL+path, token.AccessToken)
	if err != nil {
		return p.unavailable("asking for the user", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return p.refuse(errors.New("its answer is of another shape"))
	}
	return nil
}

func fit(s string) bool {
	return s != "" && len(s) <= maxValue && !strings.ContainsFunc(s, outbound.Unfit)
}

var errTooMany = fmt.Errorf("the user is in more than %d organisations or teams", maxGroups)

// IsGroup reports whether s can be a group here: an organisation, or one and a team
// of it, "acme" or "acme/devs", in lower case.
func IsGroup(s string) bool {
	org, slug, isTeam := strings.Cut(s, "/")
	return isName(org) && (isName(slug) || !isTeam) && strings.ToLower(s) == s
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// isName accepts what GitHub lets an organisation's or team's name have, so
// that the "/" between the two is never ambiguous.
func isName(s string) bool {
	return s != "" && len(s) <= maxValue/2 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

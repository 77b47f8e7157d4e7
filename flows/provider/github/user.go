package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	var u user
	if err := p.get(ctx, "/user", token, &u); err != nil {
		return identity.Claims{}, err
	}
	if u.ID <= 0 || !fit(u.Login) || u.Type == "Organization" {
		return identity.Claims{}, p.refuse(errors.New("it does not say who the user is"))
	}
	c := identity.Claims{
		Provider: p.config.Name, Issuer: p.config.BaseURL, ID: strconv.FormatInt(u.ID, 10),
	}
	if fit(u.Name) {
		c.Name = u.Name
	}
	var err error
	if c.Email, err = p.primaryAddress(ctx, token); err != nil {
		return identity.Claims{}, err
	}
	c.EmailVerified = c.Email != ""
	if c.Groups, err = p.groups(ctx, token); err != nil {
		return identity.Claims{}, err
	}
	if c.User, err = p.userName(&c, u.Login); err != nil {
		return identity.Claims{}, p.refuse(err)
	}
	return c, nil
}

func (p *Provider) userName(c *identity.Claims, login string) (string, error) {
	email := c.VerifiedEmail()
	switch {
	case p.config.UserClaim == "login":
		return login, nil
	case email != "":
		return email, nil
	case p.config.UserClaim == "email":
		return "", errors.New("the user has no verified primary e-mail address")
	}
	return p.config.Name + ":" + c.ID, nil
}

// primaryAddress is the verified primary address, or "".
func (p *Provider) primaryAddress(ctx context.Context, token provider.Token) (string, error) {
	if !p.hasScope(token, "user:email") && !p.hasScope(token, "user") {
		return "", nil
	}
	var all []address
	if err := p.get(ctx, "/user/emails?per_page=100", token, &all); err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Primary && a.Verified && fit(a.Email) {
			return a.Email, nil
		}
	}
	return "", nil
}

// groups are the organisations and teams. Names are lower-cased, since GitHub
// takes them in any case. More than a thousand are refused, not cut: a group that a
// policy denies must not be lost behind them.
func (p *Provider) groups(ctx context.Context, token provider.Token) ([]string, error) {
	if !slices.Contains(p.config.Scopes, scopeOrgs) {
		return nil, nil
	}
	// A user may grant less than was asked for, and so hide a group that a
	// policy denies.
	if !p.hasScope(token, scopeOrgs) && !p.hasScope(token, "write:org") && !p.hasScope(token, "admin:org") {
		return nil, p.refuse(errors.New("the user did not grant " + scopeOrgs))
	}
	orgs, err := pages[organisation](ctx, p, "/user/orgs", token)
	if err != nil {
		return nil, err
	}
	teams, err := pages[team](ctx, p, "/user/teams", token)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, o := range orgs {
		if isName(o.Login) {
			groups = append(groups, strings.ToLower(o.Login))
		}
	}
	for _, t := range teams {
		if isName(t.Organisation.Login) && isName(t.Slug) {
			groups = append(groups, strings.ToLower(t.Organisation.Login+"/"+t.Slug))
		}
	}
	return groups, nil
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
			return nil, p.refuse(fmt.Errorf("the user is in more than %d organisations or teams", maxGroups))
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

// isName accepts what GitHub lets an organisation's or team's name have, so
// that the "/" between the two is never ambiguous.
func isName(s string) bool {
	return s != "" && len(s) <= maxValue/2 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

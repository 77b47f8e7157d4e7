package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// signInPlain is who somebody is at a provider without ID tokens: what its API tells
// to who has the access token. The code was bound to this browser by state and PKCE.
func (p *Provider) signInPlain(ctx context.Context, m *metadata, token provider.Token) (provider.Result, error) {
	body, err := p.fetchUserInfo(ctx, m, token.AccessToken)
	if err != nil {
		return provider.Result{}, err
	}
	info, err := p.parseUserInfo(body)
	if err != nil {
		return provider.Result{}, p.refuse("userinfo", err)
	}
	sub := textOf(info["sub"])
	if sub == "" {
		return provider.Result{}, p.refuse("userinfo", errors.New("it does not say who the user is (sub); name the member that does in claim_names"))
	}
	for _, name := range notUserinfos {
		delete(info, name)
	}
	said := &told{idToken: claimSet{"sub": quoted(sub)}, userinfo: info}
	if err := p.addMembership(ctx, m, said, token.AccessToken); err != nil {
		return provider.Result{}, err
	}
	who, err := p.identify(ctx, said)
	if err != nil {
		return provider.Result{}, p.refuse("userinfo", err)
	}
	return provider.Result{Claims: who, Token: &token}, nil
}

// parseUserInfo reads an answer of userinfo, whose members may have other names.
func (p *Provider) parseUserInfo(body []byte) (claimSet, error) {
	info, err := parseClaims(body)
	if err != nil || len(p.config.ClaimNames) == 0 {
		return info, err
	}
	renamed := maps.Clone(info)
	delete(renamed, "email_verified") // unless it is named: it may be of another member's address
	for claim, member := range p.config.ClaimNames {
		delete(renamed, claim) // what has that name is something else here
		raw, at := info.lookup(member)
		switch {
		case at != foundValue:
		case claim == "sub" && isDigits(raw):
			renamed[claim] = quoted(string(raw))
		default:
			renamed[claim] = raw
		}
	}
	return renamed, nil
}

// nameIn is the name in the parameter user of Apple's answer:
// {"name":{"firstName":"…","lastName":"…"}}. It is for people to read, and nothing
// relies on it.
func nameIn(user string) string {
	var said struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if json.Unmarshal([]byte(user), &said) != nil {
		return ""
	}
	name := strings.TrimSpace(said.Name.First + " " + said.Name.Last)
	if len(name) > maxValue || strings.ContainsFunc(name, outbound.Unfit) {
		return ""
	}
	return name
}

// identityOf is the second half of the identity of whom the provider speaks.
func (p *Provider) identityOf(t *told) string {
	if t.id != "" {
		return t.id
	}
	return p.config.idOf(t.idToken)
}

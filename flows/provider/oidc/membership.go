package oidc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// addMembership asks for the groups where a provider without OpenID Connect lists them
// at an address of their own, as Discord does. They are as a claim of userinfo then. A
// list of which there is more is not known: a group that somebody is denied for may be
// in the rest. ErrUnavailable where a rule is about groups and a failure may pass.
func (p *Provider) addMembership(ctx context.Context, m *metadata, t *told, accessToken string) error {
	if m.groupsURL == "" || t.userinfo == nil || !p.asksForGroups() {
		return nil
	}
	groups, err := p.fetchGroups(ctx, m, accessToken)
	if err == nil {
		t.userinfo[p.config.GroupsClaim] = groups
		return nil
	}
	cause := identity.CauseShape
	refused, ok := errors.AsType[*outbound.StatusError](err)
	switch {
	case ok && refused.IsRefusal():
		cause = identity.CauseRefused
	case errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, outbound.ErrNoJSON):
		return p.unavailable("asking for the groups", err)
	}
	t.lostClaims = map[string]identity.Cause{p.config.GroupsClaim: cause}
	p.config.Logger.WarnContext(ctx, "a provider does not list the groups of a user", slog.String("provider", p.config.Name), slog.Any("error", err),
		slog.String("cure", "have people grant the scope "+p.config.GroupsScope+", or write the one that this address needs in scopes"))
	return nil
}

func (p *Provider) fetchGroups(ctx context.Context, m *metadata, accessToken string) ([]byte, error) {
	answer, err := outbound.Get(ctx, p.client, m.groupsURL, "application/json", accessToken)
	switch {
	case err != nil:
		return nil, err
	case answer.Partial:
		return nil, fmt.Errorf("%s answers a part of the list", m.groupsURL)
	}
	groups := bytes.TrimSpace(answer.Body)
	if _, ok := listOf(groups); !ok {
		return nil, fmt.Errorf("%s answers no list", m.groupsURL)
	}
	return groups, nil
}

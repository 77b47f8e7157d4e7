package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// addOverage fetches the groups of somebody who has more than fit into a token. They are
// asked for at the configured address, and never at the one that the token names, where
// whoever made the token would get the access token
// (https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference#groups-overage-claim).
func (p *Provider) addOverage(ctx context.Context, t *told, accessToken string) {
	if p.config.GroupsOverageURL == "" || p.config.GroupsClaim != defaultGroupsClaim || p.needs.Groups == identity.NotNeeded ||
		!t.idToken.delegates(defaultGroupsClaim) || !outbound.IsToken(accessToken) {
		return
	}
	groups, err := p.fetchMembership(ctx, accessToken)
	if err != nil {
		p.config.Logger.WarnContext(ctx, "a user has more groups than fit into a token, and they could not be fetched",
			slog.String("provider", p.config.Name), slog.Any("error", err),
			slog.String("cure", "grant the application the delegated permission GroupMember.Read.All, or have the token hold the groups assigned to the application alone"))
		return
	}
	t.overage = groups
}

func (p *Provider) fetchMembership(ctx context.Context, accessToken string) (json.RawMessage, error) {
	body := bytes.NewReader([]byte(`{"securityEnabledOnly":false}`))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.config.GroupsOverageURL, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", p.config.GroupsOverageURL, resp.StatusCode)
	}
	var answer struct {
		Value json.RawMessage `json:"value"`
		Next  json.RawMessage `json:"@odata.nextLink"`
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Value) == 0 || answer.Value[0] != '[' {
		return nil, fmt.Errorf("%s answers no list", p.config.GroupsOverageURL)
	}
	if len(answer.Next) > 0 && !isNull(answer.Next) {
		return nil, fmt.Errorf("%s answers a part of the list", p.config.GroupsOverageURL) // a group that somebody is denied for may be in the rest
	}
	return answer.Value, nil
}

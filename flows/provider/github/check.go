package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Check asks GitHub whether it knows the app and its secret: about a token that is none,
// it answers only to who does.
func (p *Provider) Check(ctx context.Context, _ []string) (warnings []string, err error) {
	const doing = "asking whether it knows the app"
	warnings = p.doubts()
	endpoint := p.config.APIURL + "/applications/" + url.PathEscape(p.config.ClientID) + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(`{"access_token":"gho_none"}`))
	if err != nil {
		return warnings, p.unavailable(doing, err)
	}
	req.SetBasicAuth(p.config.ClientID, p.config.ClientSecret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return warnings, p.unavailable(doing, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return warnings, p.unavailable(doing, fmt.Errorf("%w: %w", provider.ErrMisconfigured, errors.New("it refuses client_id and client_secret; check them")))
	case s >= http.StatusInternalServerError:
		return warnings, p.unavailable(doing, fmt.Errorf("it answers %d", s))
	}
	return warnings, nil
}

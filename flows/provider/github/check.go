package github

import (
	"context"
	"encoding/json"
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
	body, _ := io.ReadAll(resp.Body) // what is cut off is not JSON
	switch s := resp.StatusCode; {
	case s >= http.StatusInternalServerError:
		return warnings, p.unavailable(doing, fmt.Errorf("it answers %d", s))
	case !json.Valid(body): // GitHub's errors are JSON
		return warnings, p.misconfigured(doing, fmt.Errorf("%s answers %d, and no JSON; is url the address of a GitHub server?", p.config.APIURL, s))
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return warnings, p.misconfigured(doing, errors.New("it refuses client_id and client_secret; check them"))
	}
	return warnings, nil
}

func (p *Provider) misconfigured(doing string, err error) error {
	return p.unavailable(doing, fmt.Errorf("%w: %w", provider.ErrMisconfigured, err))
}

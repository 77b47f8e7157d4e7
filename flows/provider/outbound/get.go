package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// ErrUnauthorized comes beside ErrUnavailable where the answer was 401: the bearer
// token is refused.
var ErrUnauthorized = errors.New("the token is refused")

// GetJSON fetches a JSON document, with a bearer token unless that is "". An
// error says no more of the answer than its status. ErrUnavailable, and beside it
// ErrUnauthorized.
func GetJSON(ctx context.Context, client *http.Client, url, bearer string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized && bearer != "" {
		return nil, fmt.Errorf("%w: %w: %s answers 401", provider.ErrUnavailable, ErrUnauthorized, url)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %d", provider.ErrUnavailable, url, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", provider.ErrUnavailable, url, err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "application/jwt" || !json.Valid(body) {
		return nil, fmt.Errorf("%w: %s answers no JSON", provider.ErrUnavailable, url)
	}
	return body, nil
}

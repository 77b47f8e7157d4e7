package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// ErrUnauthorized comes beside ErrUnavailable where the answer was 401: the bearer
// token is refused.
var ErrUnauthorized = errors.New("the token is refused")

// ErrNoJSON comes beside ErrUnavailable where the answer is no JSON.
var ErrNoJSON = errors.New("answers no JSON")

// Answer is an answer of status 200.
type Answer struct {
	Body []byte
	// Type is the media type, in lower case and without parameters.
	Type string
	// Partial: more of it is at another address (RFC 8288, next).
	Partial bool
}

// StatusError is an answer of another status. It is [provider.ErrUnavailable].
type StatusError struct {
	URL    string
	Status int
	// Location is where the answer redirects to, or "".
	Location string
	limits   bool // the answer names a time to ask again
	bearer   bool // the request had a token
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s answers %d", e.URL, e.Status) }

// Unwrap is [provider.ErrUnavailable], and ErrUnauthorized of a token that is refused.
func (e *StatusError) Unwrap() []error {
	if e.Status == http.StatusUnauthorized && e.bearer {
		return []error{provider.ErrUnavailable, ErrUnauthorized}
	}
	return []error{provider.ErrUnavailable}
}

// IsRefusal reports whether the server is up and will not answer this question,
// however often it is asked.
func (e *StatusError) IsRefusal() bool {
	switch {
	case e.limits, e.Status == http.StatusRequestTimeout, e.Status == http.StatusTooManyRequests, e.Status == http.StatusTooEarly:
		return false
	}
	// What it redirects to is not followed, so that is no answer either.
	return e.Status >= http.StatusMultipleChoices && e.Status < http.StatusInternalServerError
}

// Get fetches a document, with a bearer token unless that is "". An error says no
// more of the answer than its status. [StatusError], ErrUnavailable, and beside it
// ErrUnauthorized.
func Get(ctx context.Context, client *http.Client, url, accept, bearer string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	req.Header.Set("Accept", accept)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		refused := &StatusError{URL: url, Status: resp.StatusCode, limits: isLimit(resp.Header), bearer: bearer != ""}
		if resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest {
			refused.Location = resp.Header.Get("Location")
		}
		return Answer{}, refused
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: reading %s: %w", provider.ErrUnavailable, url, err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return Answer{Body: body, Type: kind, Partial: isPartial(resp.Header)}, nil
}

// isPartial reports whether an answer is a page of several.
func isPartial(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Link"), func(links string) bool { return relNext.MatchString(links) })
}

// relNext is the relation next among the parameters of a link (RFC 8288, section 3): of
// several relations one, with space around the sign, and in any case. What stands in the
// address of another link may match as well, and is taken for more rather than for less.
var relNext = regexp.MustCompile(`(?i)\brel\*?\s*=\s*("[^"]*\bnext\b|next\b)`)

// isLimit reports whether a refusal is for now: GitHub answers 403 to who asks too
// often.
func isLimit(h http.Header) bool {
	return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0"
}

// GetJSON is [Get] of a JSON document, with the same errors.
func GetJSON(ctx context.Context, client *http.Client, url, bearer string) ([]byte, error) {
	answer, err := Get(ctx, client, url, "application/json", bearer)
	if err != nil {
		return nil, err
	}
	if answer.Type == "application/jwt" || !json.Valid(answer.Body) {
		return nil, fmt.Errorf("%w: %s %w", provider.ErrUnavailable, url, ErrNoJSON)
	}
	return answer.Body, nil
}

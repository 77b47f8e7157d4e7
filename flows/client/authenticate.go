package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrClient: the client is unknown or did not prove who it is. Which of the two
// is not told (RFC 6749, section 5.2: invalid_client).
var ErrClient = errors.New("client authentication failed")

// ErrRequest: the client is named or authenticated in more than one way, which
// RFC 6749, section 2.3, forbids.
var ErrRequest = errors.New("client authentication is ambiguous")

// Authenticator tells which client sent a request to the token endpoint and its
// kin.
type Authenticator struct {
	// Find returns a client by its id, or nil.
	Find func(id string) *Client
	// Issuer is what the audience of a client assertion must be, alone: an
	// assertion made for somebody else must not work here.
	Issuer string
	// Once is true for the first use of a jti (RFC 7523, section 3).
	Once func(ctx context.Context, key string, ttl time.Duration) (bool, error)
	Now  func() time.Time
}

// Authenticate finds and authenticates the client of a request whose form has
// been parsed. Errors: ErrClient, ErrRequest, or what Once returned.
func (a *Authenticator) Authenticate(r *http.Request) (*Client, error) {
	form := r.PostForm
	for _, name := range []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"} {
		if len(form[name]) > 1 {
			return nil, ErrRequest
		}
	}
	basic := r.Header.Values("Authorization")
	methods := 0
	for _, used := range []bool{len(basic) > 0, form.Get("client_secret") != "", form.Has("client_assertion")} {
		if used {
			methods++
		}
	}
	if methods > 1 || len(basic) > 1 {
		return nil, ErrRequest
	}
	switch {
	case len(basic) == 1:
		id, secret, ok := ParseBasic(basic[0])
		if !ok {
			return nil, ErrClient
		}
		if named := form.Get("client_id"); named != "" && named != id {
			return nil, ErrRequest
		}
		return a.withSecret(id, secret)
	case form.Has("client_assertion"):
		return a.withAssertion(r.Context(), form)
	case form.Get("client_secret") != "":
		return a.withSecret(form.Get("client_id"), form.Get("client_secret"))
	}
	c := a.Find(form.Get("client_id"))
	if c == nil || !c.Public {
		return nil, ErrClient
	}
	return c, nil
}

func (a *Authenticator) withSecret(id, secret string) (*Client, error) {
	c := a.Find(id)
	if c == nil || c.Public || !c.MatchesSecret(secret) {
		return nil, ErrClient
	}
	return c, nil
}

// ParseBasic reads an Authorization header of the scheme Basic, whose id and
// secret are form-encoded before they are joined (RFC 6749, section 2.3.1).
func ParseBasic(header string) (id, secret string, ok bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil || len(raw) > 4096 {
		return "", "", false
	}
	id, secret, found = strings.Cut(string(raw), ":")
	if !found {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, id != ""
}

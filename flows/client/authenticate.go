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

// ErrAssertionType: a client assertion came without its type, or with another than
// that of private_key_jwt (RFC 7523, section 2.2).
var ErrAssertionType = errors.New("client_assertion_type must be " + assertionType)

// Authenticator tells which client sent a request to the token endpoint and its
// kin.
//
// A client assertion (private_key_jwt; RFC 7523, section 3) is signed by a key of
// the client that its iss and sub name, has an exp at most an hour ahead, and
// works once.
//
// Its aud holds the issuer, alone or in an array, and beside it nothing but the
// token endpoint. RFC 7523 would take the token endpoint alone; but a client
// learns that address from the server's metadata, and a hostile server may name
// ours in its own: the client then makes, for the hostile server, an assertion
// that works here (audience injection, 2025). The issuer is what whoever runs the
// client configured, so it is not the hostile server's to choose, and an
// assertion that is for somebody else as well is refused.
// A client whose library can send nothing else (OpenID Connect Core, section 9, says
// that the aud SHOULD be the token endpoint) says so by its AssertionAudience, and has
// to trust every server that it uses.
// draft-ietf-oauth-rfc7523bis goes on to forbid the token endpoint beside the
// issuer; it is taken because zitadel's client sends both, and it names nobody
// whom the issuer does not name already.
//
// A jti is optional, as in the RFC. Without one an assertion is remembered by
// what was signed and the signature. Where the algorithm makes the same signature
// of the same content (RS256, EdDSA), such a client has one request a second: its
// next assertion of that second is the same, and cannot be told from a replay.
type Authenticator struct {
	// Find returns a client by its id, or nil.
	Find func(id string) *Client
	// Issuer is what the aud of a client assertion must hold, and TokenEndpoint
	// the one thing that it may hold beside.
	Issuer, TokenEndpoint string
	// Once is true for the first use of a key within ttl, which is little more
	// than an hour at most.
	Once func(ctx context.Context, key string, ttl time.Duration) (bool, error)
	Now  func() time.Time
	// From is the address that the request comes from. Addresses take turns where
	// secrets are slow to check.
	From string
}

// Authenticate finds and authenticates the client of a request whose form has
// been parsed. Errors: ErrClient, whose text the client may be told, ErrRequest,
// ErrAssertionType, ErrBusy, or what Once returned.
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
		if c := a.Find(id); secret == "" && c != nil && c.Public {
			return c, nil // an empty secret is as good as none (RFC 6749, section 2.3.1)
		}
		return a.withSecret(r.Context(), id, secret)
	case form.Has("client_assertion"):
		return a.withAssertion(r.Context(), form)
	case form.Get("client_secret") != "":
		return a.withSecret(r.Context(), form.Get("client_id"), form.Get("client_secret"))
	}
	c := a.Find(form.Get("client_id"))
	if c == nil || !c.Public {
		return nil, ErrClient
	}
	return c, nil
}

func (a *Authenticator) withSecret(ctx context.Context, id, secret string) (*Client, error) {
	c := a.Find(id)
	if c == nil || c.Public {
		return nil, ErrClient
	}
	switch ok, err := c.MatchesSecret(ctx, secret, a.From); {
	case err != nil:
		return nil, err
	case !ok:
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

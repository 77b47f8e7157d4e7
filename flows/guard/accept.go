package guard

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/foreign"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// accept returns who a request is of by a token that another issuer gave, where the
// rules take its tokens. Tokens of ours are never looked at here, nor told anybody.
// Errors as of [Guard.Authenticate].
func (g *Guard) accept(r *web.Request, rules *Rules) (*identity.Identity, error) {
	values := r.Header["Authorization"]
	if g.Foreign == nil || len(values) == 0 {
		return nil, session.ErrNoSession
	}
	for _, value := range values {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
			continue
		}
		raw := strings.TrimLeft(rest, " ")
		name := g.Foreign.IssuerOf(raw, rules.Accept)
		if name == "" || !strings.HasPrefix(raw, "eyJ") && g.mayHoldToken([]string{value}, r.Host) {
			continue
		}
		if len(values) > 1 {
			return nil, accesstoken.ErrTwoCredentials
		}
		return g.acceptFrom(r, name, strings.ToLower(scheme), raw)
	}
	return nil, session.ErrNoSession
}

func (g *Guard) acceptFrom(r *web.Request, name, scheme, raw string) (*identity.Identity, error) {
	known, err := g.Foreign.Verify(r.Context(), name, raw)
	switch {
	case errors.Is(err, foreign.ErrUnavailable):
		return nil, fmt.Errorf("%w: %w", session.ErrUnavailable, err)
	case err != nil:
		return nil, ErrToken
	}
	if known.X5T != "" && !hasCertificate(r, known.X5T) {
		return nil, ErrToken
	}
	if known.JKT == "" && scheme != "dpop" {
		return known.Identity, barred(known)
	}
	_, origin := g.IssuerAt(r.Host, r.Secure())
	bound := &accesstoken.Claims{Cnf: &accesstoken.Confirmation{JKT: known.JKT}}
	if err := g.Access.CheckBinding(r, origin+r.Path(), bound, scheme, raw); err != nil {
		if !errors.Is(err, accesstoken.ErrProof) {
			return nil, fmt.Errorf("%w: %w", session.ErrUnavailable, err)
		}
		return nil, ErrToken
	}
	return known.Identity, barred(known)
}

// errBarred: the provider's own rules do not let somebody in who is known.
var errBarred = errors.New("the provider's rules refuse")

func barred(known *foreign.Known) error {
	if known.Barred {
		return errBarred
	}
	return nil
}

// hasCertificate reports whether the client has proved, in this connection, that it has
// the key of a certificate (RFC 8705, section 3). Of a connection that another proxy
// has, nobody knows.
func hasCertificate(r *web.Request, thumbprint string) bool {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:]) == thumbprint
}

// acceptsHere reports whether rules take the credential that somebody came by.
func (rules *Rules) acceptsHere(id *identity.Identity) bool {
	return id.Accepted == nil || slices.Contains(rules.Accept, id.Provider)
}

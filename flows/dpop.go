package flows

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// errProof: a DPoP proof is missing or not valid (RFC 9449, section 5).
var errProof = errors.New("invalid DPoP proof")

// proofWindow is how far a proof's iat may be from now.
const proofWindow = 60 * time.Second

// proof is a checked DPoP proof; the zero proof is none.
type proof struct {
	jkt string // thumbprint of its key
	// guard is what it is remembered by, see [Gateway.spendProof].
	guard string
}

type proofClaims struct {
	Method   string          `json:"htm"`
	URI      string          `json:"htu"`
	IssuedAt *clientjwt.Time `json:"iat"`
	ID       string          `json:"jti"`
	Access   string          `json:"ath"`
}

// refreshKey is the key that the client's refresh tokens are bound to, or "". A
// client with a secret or key of its own proves itself at each refresh anyway,
// and may change the key of its proofs (RFC 9449, section 5).
func (r *endpointRequest) refreshKey() string {
	if !r.client.Public {
		return ""
	}
	return r.proof.jkt
}

// checkProof checks the DPoP proof of a request to uri, but for whether it was
// used before: whoever gives something for it calls [Gateway.spendProof]. access
// is the access token that it must be bound to, at a resource; "" at the token
// endpoint. It costs no round trip.
func (g *Gateway) checkProof(r *web.Request, uri, access string, required bool) (proof, error) {
	headers := r.Header.Values("DPoP")
	switch {
	case len(headers) == 0 && !required:
		return proof{}, nil
	case len(headers) != 1 || len(headers[0]) > 8192:
		return proof{}, errProof
	}
	claims, jkt, err := parseProof(headers[0])
	if err != nil {
		return proof{}, err
	}
	switch {
	case claims.Method != r.Method, !sameTarget(claims.URI, uri), claims.ID == "", len(claims.ID) > 256, claims.IssuedAt == nil:
		return proof{}, errProof
	case access != "" && claims.Access != accessHash(access):
		return proof{}, errProof
	}
	now, issued := g.Now().Unix(), claims.IssuedAt.Unix()
	if issued < now-seconds(proofWindow) || issued > now+seconds(proofWindow) {
		return proof{}, errProof
	}
	sum := sha256.Sum256([]byte(jkt + "\x00" + claims.ID + "\x00" + uri))
	return proof{jkt: jkt, guard: "dpop:" + encode(sum[:])}, nil
}

// spendProof makes sure that a proof is used once (RFC 9449, section 11.1): one
// round trip to the cache when there is a proof. It comes last, when the request
// is in order otherwise: everybody can make proofs without end, and must not be
// able to have them remembered. So a code is redeemed before its proof is spent;
// where that fails, the code is lost, for which a proof's thief needs the code
// and its verifier as well.
func (g *Gateway) spendProof(ctx context.Context, p proof) error {
	if p.guard == "" {
		return nil
	}
	first, err := g.Cache.Once(ctx, p.guard, 2*proofWindow+time.Second)
	if err != nil {
		return err
	}
	if !first {
		return errProof
	}
	return nil
}

// parseProof checks a proof's form, type, algorithm and signature.
func parseProof(raw string) (claims proofClaims, jkt string, err error) {
	_, err = clientjwt.Parse(raw, &claims, func(header clientjwt.Header) (clientjwt.Key, error) {
		var key jose.JSONWebKey
		if header.Type != "dpop+jwt" || header.Key == nil || key.UnmarshalJSON(header.Key) != nil {
			return clientjwt.Key{}, errProof
		}
		if !key.IsPublic() || !key.Valid() || key.Use != "" && key.Use != "sig" {
			return clientjwt.Key{}, errProof // a private key, a shared secret, or one for something else
		}
		sum, err := key.Thumbprint(crypto.SHA256)
		jkt = base64.RawURLEncoding.EncodeToString(sum)
		return clientjwt.Key{Public: key.Key, Algorithm: key.Algorithm}, err
	})
	if err != nil {
		return proofClaims{}, "", errProof
	}
	return claims, jkt, nil
}

// sameTarget compares htu with the request's URI, without query and fragment
// (RFC 9449, section 4.3), scheme and host in any case.
func sameTarget(htu, uri string) bool {
	a, err := url.Parse(htu)
	if err != nil || a.User != nil {
		return false
	}
	b, err := url.Parse(uri)
	if err != nil {
		return false
	}
	scheme := strings.ToLower(a.Scheme)
	pathOf := func(u *url.URL) string {
		if p := u.EscapedPath(); p != "" {
			return p
		}
		return "/"
	}
	return scheme == b.Scheme && web.CanonicalHost(scheme, a.Host) == web.CanonicalHost(b.Scheme, b.Host) && pathOf(a) == pathOf(b)
}

// accessHash is ath (RFC 9449, section 4.2).
func accessHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

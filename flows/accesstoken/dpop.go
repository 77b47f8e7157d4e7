package accesstoken

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

// ErrProof: a DPoP proof is missing or not valid (RFC 9449, section 5).
var ErrProof = errors.New("invalid DPoP proof")

// proofWindow is how far a proof's iat may be from now.
const proofWindow = 60 * time.Second

// Proof is a checked DPoP proof; the zero proof is none.
type Proof struct {
	JKT string // thumbprint of its key
	// guard is what it is remembered by, see [Verifier.SpendProof].
	guard string
}

type proofClaims struct {
	Method   string          `json:"htm"`
	URI      string          `json:"htu"`
	IssuedAt *clientjwt.Time `json:"iat"`
	ID       string          `json:"jti"`
	Access   string          `json:"ath"`
}

// CheckProof checks the DPoP proof of a request to uri, but for whether it was
// used before: whoever gives something for it calls [Verifier.SpendProof]. access
// is the access token that it must be bound to, at a resource; "" at the token
// endpoint. It costs no round trip.
func (v *Verifier) CheckProof(r *web.Request, uri, access string, required bool) (Proof, error) {
	headers := r.Header.Values("DPoP")
	switch {
	case len(headers) == 0 && !required:
		return Proof{}, nil
	case len(headers) != 1 || len(headers[0]) > 8192:
		return Proof{}, ErrProof
	}
	claims, jkt, err := ParseProof(headers[0])
	if err != nil {
		return Proof{}, err
	}
	switch {
	case claims.Method != r.Method, !SameTarget(claims.URI, uri), claims.ID == "", len(claims.ID) > 256, claims.IssuedAt == nil:
		return Proof{}, ErrProof
	case access != "" && claims.Access != accessHash(access):
		return Proof{}, ErrProof
	}
	now, issued := v.Now().Unix(), claims.IssuedAt.Unix()
	if issued < now-int64(proofWindow/time.Second) || issued > now+int64(proofWindow/time.Second) {
		return Proof{}, ErrProof
	}
	sum := sha256.Sum256([]byte(jkt + "\x00" + claims.ID + "\x00" + uri))
	return Proof{JKT: jkt, guard: "dpop:" + base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// SpendProof makes sure that a proof is used once (RFC 9449, section 11.1): one
// round trip to the cache when there is a proof. It comes last, when the request
// is in order otherwise: everybody can make proofs without end, and must not be
// able to have them remembered. So a code is redeemed before its proof is spent;
// where that fails, the code is lost, for which a proof's thief needs the code
// and its verifier as well.
func (v *Verifier) SpendProof(ctx context.Context, p Proof) error {
	if p.guard == "" {
		return nil
	}
	first, err := v.Cache.Once(ctx, p.guard, 2*proofWindow+time.Second)
	if err != nil {
		return err
	}
	if !first {
		return ErrProof
	}
	return nil
}

// ParseProof checks a proof's form, type, algorithm and signature.
func ParseProof(raw string) (claims proofClaims, jkt string, err error) {
	_, err = clientjwt.Parse(raw, &claims, func(header clientjwt.Header) (clientjwt.Key, error) {
		var key jose.JSONWebKey
		if header.Type != "dpop+jwt" || header.Key == nil || key.UnmarshalJSON(header.Key) != nil {
			return clientjwt.Key{}, ErrProof
		}
		if !key.IsPublic() || !key.Valid() || key.Use != "" && key.Use != "sig" {
			return clientjwt.Key{}, ErrProof // a private key, a shared secret, or one for something else
		}
		sum, err := key.Thumbprint(crypto.SHA256)
		jkt = base64.RawURLEncoding.EncodeToString(sum)
		return clientjwt.Key{Public: key.Key, Algorithm: key.Algorithm}, err
	})
	if err != nil {
		return proofClaims{}, "", ErrProof
	}
	return claims, jkt, nil
}

// SameTarget compares htu with the request's URI, without query and fragment
// (RFC 9449, section 4.3), scheme and host in any case.
func SameTarget(htu, uri string) bool {
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

// CheckBinding checks that a token bound to a key (RFC 9449, section 7) came
// with a proof of it, and that an unbound one did not pretend. errProof; an error
// of the cache says nothing of the token.
func (v *Verifier) CheckBinding(r *web.Request, uri string, claims *Claims, scheme, raw string) error {
	if claims.Cnf == nil || claims.Cnf.JKT == "" {
		if scheme == "dpop" {
			return ErrProof
		}
		return nil
	}
	if scheme != "dpop" {
		return ErrProof
	}
	proof, err := v.CheckProof(r, uri, raw, true)
	if err != nil {
		return err
	}
	if proof.JKT != claims.Cnf.JKT {
		return ErrProof
	}
	return v.SpendProof(r.Context(), proof)
}

package accesstoken

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// ErrTwoCredentials: a request holds a session and a token of ours, or two tokens;
// which one counts must not be left to chance.
var ErrTwoCredentials = errors.New("two credentials")

// Credential is an access token that a request brings and that our issuer claims
// to have signed.
type Credential struct {
	Raw    string
	Scheme string    // "bearer" or "dpop"
	known  *Verified // if it was verified before
}

// Presented returns the token of an Authorization header if our issuer claims to
// have signed it, else the zero one. Others (Basic, another issuer's) are the
// upstream's business.
func (v *Verifier) Presented(h http.Header, host string) (found Credential, err error) {
	values := h["Authorization"]
	for _, value := range values {
		name, rest, ok := strings.Cut(value, " ")
		if !ok {
			continue
		}
		t := Credential{Raw: strings.TrimLeft(rest, " ")}
		switch {
		case strings.EqualFold(name, "Bearer"):
			t.Scheme = "bearer"
		case strings.EqualFold(name, "DPoP"):
			t.Scheme = "dpop"
		default:
			continue
		}
		if t.known, ok = v.claimsOurs(t.Raw, host); !ok {
			continue
		}
		if len(values) > 1 {
			return Credential{}, ErrTwoCredentials
		}
		found = t
	}
	return found, nil
}

// claimsOurs reports whether a token names the host's issuer, whether or not this
// node has verified it before; nothing of it is believed unless it has. Where each
// site is an issuer, another site's token is another issuer's.
func (v *Verifier) claimsOurs(raw, host string) (known *Verified, ours bool) {
	if len(raw) > MaxLength || strings.Count(raw, ".") != 2 {
		return nil, strings.HasPrefix(raw, "gts_") || strings.HasPrefix(raw, "gtr_")
	}
	if known = v.remembered(sha256.Sum256([]byte(raw)), v.Now()); known != nil {
		if !v.IsIssuerOf(known.Claims.Issuer, host) {
			return nil, false
		}
		return known, true
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &claims); err != nil {
		return nil, false
	}
	return nil, v.IsIssuerOf(claims.Issuer, host)
}

// IsIssuerOf reports whether an issuer is the one of a host's site.
func (v *Verifier) IsIssuerOf(issuer, host string) bool {
	if v.hasPortal() {
		return issuer == v.Portal.ID()
	}
	origin, ok := strings.CutSuffix(issuer, strings.TrimSuffix(web.Prefix, "/"))
	scheme, name, _ := strings.Cut(origin, "://")
	return ok && (scheme == "https" || scheme == "http") && name == web.CanonicalHost(scheme, host)
}

// MayOpen reports whether a token opens a site: its audience holds the origin.
func MayOpen(claims *Claims, origin string) bool {
	return slices.Contains(claims.Audience, origin) || slices.Contains(claims.Audience, origin+"/")
}

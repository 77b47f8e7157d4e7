package accesstoken

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
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
	Scheme string    // "bearer", "dpop" or "basic"
	known  *Verified // if it was verified before
}

// OwnHeader is a second place for an access token of ours, for applications that need
// Authorization for themselves.
const OwnHeader = "Gatehouse-Authorization"

// Places are where a site takes an access token from, besides Authorization with the
// schemes Bearer and DPoP, and [OwnHeader].
type Places struct {
	// Basic: the password of Basic credentials, whatever the name is (RFC 7617).
	Basic bool
}

// Presented returns the token that a request brings. Of Authorization it is one that our
// issuer claims to have signed, else the zero one: others (Basic, another issuer's) are
// the upstream's business. [OwnHeader] is for nothing else, so whatever it holds is
// returned.
func (v *Verifier) Presented(h http.Header, host string, from Places) (Credential, error) {
	found, err := v.inAuthorization(h["Authorization"], host, from)
	own := h[OwnHeader]
	switch {
	case err != nil || len(own) == 0:
		return found, err
	case len(own) > 1 || found.Raw != "":
		return Credential{}, ErrTwoCredentials
	}
	t, ok := parseCredential(own[0], Places{})
	if !ok || t.Raw == "" {
		return Credential{Raw: "no token", Scheme: schemeBearer}, nil
	}
	t.known, _ = v.claimsOurs(t.Raw, host)
	return t, nil
}

func (v *Verifier) inAuthorization(values []string, host string, from Places) (found Credential, err error) {
	for _, value := range values {
		t, ok := parseCredential(value, from)
		if !ok {
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

// SchemeBasic is the scheme of a [Credential] that came as a password.
const SchemeBasic = "basic"

const (
	schemeBearer = "bearer"
	schemeDPoP   = "dpop"
)

// parseCredential reads a line of a header, if its scheme is one that brings tokens.
func parseCredential(value string, from Places) (Credential, bool) {
	name, rest, ok := strings.Cut(value, " ")
	if !ok {
		return Credential{}, false
	}
	t := Credential{Raw: strings.TrimLeft(rest, " ")}
	switch {
	case strings.EqualFold(name, schemeBearer):
		t.Scheme = schemeBearer
	case strings.EqualFold(name, schemeDPoP):
		t.Scheme = schemeDPoP
	case from.Basic && strings.EqualFold(name, SchemeBasic):
		t.Scheme, t.Raw = SchemeBasic, basicPassword(t.Raw)
	default:
		return Credential{}, false
	}
	return t, true
}

// basicPassword is the password of Basic credentials, or "".
func basicPassword(encoded string) string {
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimRight(encoded, " "))
	if err != nil {
		return ""
	}
	_, password, _ := strings.Cut(string(decoded), ":")
	return password
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

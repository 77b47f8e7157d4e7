package vault

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// maxJWTPayload bounds what is decoded of a token.
const maxJWTPayload = 64 << 10

// latestExpiry is later than any token lives, and a time that every store can
// hold.
var latestExpiry = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// expOf is the claim exp of a token that is a JWT (RFC 7519, section 4.1.4), or
// zero. The signature is not checked: the token came from its provider, and a
// wrong expiry harms only whoever sent it.
func expOf(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(parts[1]) > maxJWTPayload {
		return time.Time{}
	}
	if header, err := base64.RawURLEncoding.DecodeString(parts[0]); err != nil || !json.Valid(header) {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp *float64 `json:"exp"` // NumericDate may have a fraction
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp == nil {
		return time.Time{}
	}
	switch exp := *claims.Exp; {
	case math.IsNaN(exp):
		return time.Time{}
	case exp >= float64(latestExpiry.Unix()):
		return latestExpiry
	case exp <= 0:
		return time.Unix(0, 0).UTC() // long ago
	default:
		return time.Unix(int64(exp), 0).UTC()
	}
}

// accessExpiry is the expiry of an access token: as given, else its exp, else
// zero.
func accessExpiry(given time.Time, token string) time.Time {
	if !given.IsZero() {
		return given
	}
	return expOf(token)
}

// lapsedFor is how long a row is kept whose access token has expired and cannot be
// refreshed: it tells that the provider gave one.
const lapsedFor = 24 * time.Hour

// keptUntil is how long to keep a token without a refresh token.
func keptUntil(expiry time.Time) time.Time {
	if expiry.IsZero() || expiry.After(latestExpiry) {
		return latestExpiry
	}
	return expiry.Add(lapsedFor)
}

// refreshExpiry is the expiry of a refresh token: as given, else its exp, else
// the default.
func (v *Vault) refreshExpiry(given time.Time, token string) time.Time {
	if !given.IsZero() {
		return given
	}
	if exp := expOf(token); !exp.IsZero() {
		return exp
	}
	return v.Now().Add(v.DefaultRefreshLifetime)
}

package flows

import (
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// signInClaims are what an ID token says of the sign-in that it is of.
type signInClaims struct {
	jwt.RegisteredClaims
	AuthTime float64  `json:"auth_time"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	SID      string   `json:"sid"`
}

// isOfSignIn reports whether a new ID token says nothing but what that of a sign-in said,
// of who it was and of how and when (OpenID Connect Core, section 12.2). The refresh token
// that it was had with may be of a later sign-in of the same person, in another browser,
// and better proved. Where the first token was not kept, the claims say what it did.
func isOfSignIn(token, original string, claims *identity.Claims) bool {
	var now signInClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &now); err != nil {
		return false
	}
	was := signInClaims{RegisteredClaims: jwt.RegisteredClaims{Issuer: now.Issuer, Subject: now.Subject}, ACR: claims.ACR, AMR: claims.AMR, SID: claims.ProviderSession}
	if !claims.AuthTime.IsZero() {
		was.AuthTime = float64(claims.AuthTime.Unix())
	}
	if original != "" {
		was = signInClaims{}
		if _, _, err := jwt.NewParser().ParseUnverified(original, &was); err != nil {
			return false
		}
	}
	slices.Sort(now.AMR)
	amr := slices.Sorted(slices.Values(was.AMR))
	return now.Issuer == was.Issuer && now.Subject == was.Subject &&
		(now.SID == "" || now.SID == was.SID) &&
		(now.AuthTime == 0 || now.AuthTime == was.AuthTime) &&
		(now.ACR == "" || now.ACR == was.ACR) &&
		(len(now.AMR) == 0 || slices.Equal(now.AMR, amr))
}

package client

import (
	"crypto/sha256"
	"encoding/base64"
)

// ChallengeS256 is the PKCE challenge of a verifier (RFC 7636, section 4.2).
func ChallengeS256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ValidVerifier reports whether a verifier has 43 to 128 unreserved characters
// (RFC 7636, section 4.1).
func ValidVerifier(verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for i := 0; i < len(verifier); i++ {
		b := verifier[i]
		unreserved := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' ||
			b == '-' || b == '.' || b == '_' || b == '~'
		if !unreserved {
			return false
		}
	}
	return true
}

// ValidChallenge reports whether a challenge is one that S256 makes.
func ValidChallenge(challenge string) bool {
	// The length as well: the library skips line breaks.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	return err == nil && len(raw) == sha256.Size && len(challenge) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}

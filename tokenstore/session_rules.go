package tokenstore

import (
	"cmp"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Validate refuses a session that no store may accept.
func (n NewSession) Validate() error {
	return cmp.Or(
		faultIf(n.ID.Version() != 7 || n.ID.Variant() != uuid.RFC4122, "session id", "is not a UUIDv7"),
		faultIf(n.Detached && n.Parent == uuid.Nil, "parent", "is missing"),
		ValidateSubject(n.Subject),
		validText("client id", n.ClientID, MaxClientID),
		validText("scope", n.Scope, MaxScope),
		validTexts("resource", n.Resource),
		ValidateText("confirmation key", n.Cnf),
		validTime("authentication time", n.AuthTime),
		ValidateText("acr", n.ACR),
		validTexts("amr", n.AMR),
		ValidateText("provider", n.Provider),
		ValidateText("user agent", n.UserAgent),
		ValidateClaims(n.Claims),
		faultIf(len(n.ProviderSession) > MaxProviderSession, "provider's session", "is too long"),
		faultIf(len(n.Replaces) > MaxReplaces, "list of lost attempts", "is too long"),
		faultIf(n.Idle <= 0 || n.Lifetime <= 0, "session's lifetime", "is not positive"),
	)
}

// ValidateClaims refuses claims beyond [MaxClaims].
func ValidateClaims(claims []byte) error {
	return faultIf(len(claims) > MaxClaims, "claims", "are too long")
}

// CutUserAgent returns the user agent as it is stored: cut to at most
// [MaxUserAgent] bytes, between two characters.
func (n NewSession) CutUserAgent() string {
	if len(n.UserAgent) <= MaxUserAgent {
		return n.UserAgent
	}
	end := MaxUserAgent
	for end > 0 && !utf8.RuneStart(n.UserAgent[end]) {
		end--
	}
	return n.UserAgent[:end]
}

// Validate refuses a query that no store may answer.
func (q SessionQuery) Validate() error {
	return cmp.Or(
		faultIf(q.Subject == "" && !q.All && len(q.ProviderSession) == 0, "subject", "is empty"),
		ValidateText("subject", q.Subject),
		ValidateText("client id", q.ClientID),
		validLimit(q.Limit),
	)
}

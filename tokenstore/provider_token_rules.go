package tokenstore

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Validate refuses a token that no store may accept.
func (t ProviderToken) Validate() error {
	return cmp.Or(
		ValidateSubject(t.Subject),
		validRequired("provider", t.Provider, MaxIssuer),
		ValidateText("client id", t.ClientID),
		ValidateText("key id", t.KeyID),
		ValidateText("token type", t.TokenType),
		ValidateText("scope", t.Scope),
		validTime("time of issue", t.IssuedAt),
		validTime("expiry", t.ExpiresAt),
		validTime("refresh token's expiry", t.RefreshExpiresAt),
		validTime("access token's revocation", t.AccessRevokedAt),
		validTime("refresh token's revocation", t.RefreshRevokedAt),
		faultIf(len(t.RefreshToken) == 0, "refresh token", "is missing"),
		faultIf(t.RefreshExpiresAt.IsZero(), "refresh token's expiry", "is missing"),
		faultIf(len(t.AccessHash) > MaxHash, "access token's hash", "is too long"),
		faultIf(len(t.RefreshHash) > MaxHash, "refresh token's hash", "is too long"),
	)
}

// IsLive tells whether fresh tokens can be obtained from the token at now: its
// refresh token is neither expired nor revoked nor refused by the provider.
func (t ProviderToken) IsLive(now time.Time) bool {
	return now.Before(t.RefreshExpiresAt) && t.RefreshRevokedAt.IsZero() && !t.NeedsReauth
}

// Withstands tells whether the token stays when another is to be stored in its
// place: it is live, and its scope strictly contains the other's.
func (t ProviderToken) Withstands(other ProviderToken, now time.Time) bool {
	has, wants := t.GetScope(), other.GetScope()
	return t.IsLive(now) && contains(has, wants) && !contains(wants, has)
}

// contains tells whether all of part are in list.
func contains(list, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(list, s) })
}

// Revokes tells whether the token that was displaced is to be queued for
// revocation. Where both have one refresh token, that would end the kept one.
func (o StoreOptions) Revokes(r StoreResult) bool {
	return o.RevokeDisplaced && r.Displaced != nil && !bytes.Equal(r.Displaced.RefreshHash, r.Kept.RefreshHash)
}

// Validate refuses a query that no store may answer.
func (q ProviderTokenQuery) Validate() error {
	return cmp.Or(
		ValidateText("subject", q.Subject),
		ValidateText("provider", q.Provider),
		ValidateText("client id", q.ClientID),
		ValidateText("key id", q.KeyIDNot),
		ValidateText("subject", q.AfterSubject),
		ValidateText("provider", q.AfterProvider),
		validTime("expiry", q.ExpiredBefore),
		validLimit(q.Limit),
		faultIf(!q.All && !q.limited(), "query", "has no condition"),
	)
}

// limited tells whether the query has a condition.
func (q ProviderTokenQuery) limited() bool {
	return cmp.Or(q.Subject, q.Provider, q.ClientID, q.KeyIDNot) != "" ||
		len(q.AccessHash) > 0 || len(q.RefreshHash) > 0 || !q.ExpiredBefore.IsZero() || q.Revoked != nil
}

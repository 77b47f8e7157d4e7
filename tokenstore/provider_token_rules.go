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
		faultIf(len(t.RefreshToken)+len(t.AccessToken) == 0, "token", "has neither an access token nor a refresh token"),
		faultIf(t.RefreshExpiresAt.IsZero(), "refresh token's expiry", "is missing"),
		faultIf(len(t.AccessHash) > MaxHash, "access token's hash", "is too long"),
		faultIf(len(t.RefreshHash) > MaxHash, "refresh token's hash", "is too long"),
		faultIf(len(t.Narrowed) > MaxNarrowed, "narrowed tokens", "are too long"),
	)
}

// CanRefresh reports whether there is a refresh token.
func (t ProviderToken) CanRefresh() bool { return len(t.RefreshToken) > 0 }

// IsLasting reports whether the token stays useful beyond the life of its access
// token: it can be refreshed, or its access token does not expire.
func (t ProviderToken) IsLasting() bool { return t.CanRefresh() || t.ExpiresAt.IsZero() }

// IsLive reports whether the token can be used at now: its refresh token, or its
// access token if it has no refresh token, is neither expired nor revoked, and the
// provider has not refused it.
func (t ProviderToken) IsLive(now time.Time) bool {
	return now.Before(t.RefreshExpiresAt) && t.RefreshRevokedAt.IsZero() && !t.NeedsReauth &&
		(t.CanRefresh() || t.AccessRevokedAt.IsZero() && !t.IsExpired(now))
}

// Withstands reports whether the token stays when another is to be stored in its
// place: it is live and was issued to the same client, and either its scope
// strictly contains the other's, or it is lasting and the other is not. A lasting
// one yields to no token that is not, and one that is not lasting withstands none
// that is: many providers give a refresh token at the first consent only.
func (t ProviderToken) Withstands(other ProviderToken, now time.Time) bool {
	if !t.IsLive(now) || !t.CheckClient(other.ClientID) {
		return false
	}
	if t.IsLasting() != other.IsLasting() {
		return t.IsLasting()
	}
	has, wants := t.GetScope(), other.GetScope()
	return contains(has, wants) && !contains(wants, has)
}

// Keeps reports whether a stored token stays when another is to be stored in its
// place: it withstands that one, and whatever scopes it has beyond the other's are
// still asked for.
func (o StoreOptions) Keeps(stored, other ProviderToken, now time.Time) bool {
	return stored.Withstands(other, now) &&
		(o.Scope == nil || contains(slices.Concat(o.Scope, other.GetScope()), stored.GetScope()))
}

// contains reports whether list contains all of part.
func contains(list, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(list, s) })
}

// Revokes reports whether the token that was displaced is to be queued for
// revocation. Where both have one refresh token, or none and one access token,
// that would end the kept one.
func (o StoreOptions) Revokes(r StoreResult) bool {
	return o.RevokeDisplaced && r.Displaced != nil && !r.Displaced.IsSame(r.Kept)
}

// IsSame reports whether both hold one refresh token or, without any, one access
// token, by their hashes.
func (t ProviderToken) IsSame(other ProviderToken) bool {
	if len(t.RefreshHash)+len(other.RefreshHash) > 0 {
		return bytes.Equal(t.RefreshHash, other.RefreshHash)
	}
	return bytes.Equal(t.AccessHash, other.AccessHash)
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

// limited reports whether the query has a condition.
func (q ProviderTokenQuery) limited() bool {
	return cmp.Or(q.Subject, q.Provider, q.ClientID, q.KeyIDNot) != "" ||
		len(q.AccessHash) > 0 || len(q.RefreshHash) > 0 || !q.ExpiredBefore.IsZero() || q.Revoked != nil
}

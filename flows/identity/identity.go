// Package identity holds who somebody is: what a provider vouched for, and the
// verified identity of a request that grows from it.
package identity

import (
	"time"

	"github.com/google/uuid"
)

// Claims is what a provider vouched for at a sign-in. It is sealed into the
// session's row.
type Claims struct {
	// Provider is the name of the provider block.
	Provider string `json:"provider"`
	// Issuer and ID are the provider's issuer and its subject there. Together
	// they are the identity; they never change with the block's name.
	Issuer string `json:"iss"`
	ID     string `json:"sub"`
	// User is what policies, Remote-User and the access log call them: for
	// local users the user name, else the provider's user_claim, by default
	// the verified e-mail address, else PROVIDER:ID.
	User          string `json:"user"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	// DomainUnverified: the address is the user's, but nobody says that the account
	// belongs to its domain. Rules that allow by a domain do not count it.
	DomainUnverified bool   `json:"domain_unverified,omitempty"`
	Name             string `json:"name,omitempty"`
	// Groups, all of them or none (see Unread), but for GroupsLeft that were left out
	// once all had been judged. GroupsJudged are then those that rules named, and that
	// the user was not in.
	Groups       []string `json:"groups,omitempty"`
	GroupsLeft   int      `json:"groups_left,omitempty"`
	GroupsJudged []string `json:"groups_judged,omitempty"`
	// Unread maps claims that are not known, although the provider may have them, to
	// the reason. Keys are our names for the claims.
	Unread map[string]Cause `json:"unread,omitempty"`

	// AuthTime is when the user proved to the provider who they are; zero where it
	// does not tell. That the user came from there says nothing of it: the proof
	// may be weeks old. So there is no auth_time then, and no max_age is kept.
	AuthTime time.Time `json:"auth_time"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"`
	// Levels are those of earlier sign-ins that still hold, see [Claims.KeepLevels].
	Levels []Level `json:"levels,omitempty"`

	// Credential is the fingerprint of the credential that the user signed in with:
	// for local users, of the password's hash. "" if the provider has none, and in
	// sessions from before there were fingerprints.
	Credential string `json:"cred,omitempty"`

	// ProviderSession is the session's id at the provider (claim sid), by
	// which a back-channel logout may name it.
	ProviderSession string `json:"provider_sid,omitempty"`

	// Extra are further claims of the provider that an option asked for, by the name
	// in the option, as encoding/json decodes them. Unread has those that are not
	// known, by [KeptClaim].
	Extra map[string]any `json:"extra,omitempty"`
}

// Identity is the verified identity of one request. It is shared by many
// requests and must not be changed.
type Identity struct {
	Claims
	// Subject is ours: opaque and stable.
	Subject string
	// SessionID is the session that vouches for it; zero for a token without
	// one.
	SessionID uuid.UUID
	// Portal is the portal sign-in that the session came from, or zero.
	Portal uuid.UUID
	// ClientID that the session or token was issued to; for a guarded site
	// its host name.
	ClientID string
	// Sought is the provider that the person was sent to in this sign-in for its
	// token, or "". SoughtKnown reports that the node that stored the session knew
	// the field.
	Sought      string
	SoughtKnown bool
	// Scope granted, for a bearer token.
	Scope []string
	// TokenID is the jti of a bearer token, and TokenScheme how it came: "bearer", "dpop"
	// or "basic".
	TokenID, TokenScheme string
	// SelfRegistered: the token was issued to a client that registered itself.
	SelfRegistered bool
	// Accepted is a token that the provider itself issued to a program; else nil.
	Accepted *Accepted
	// TokenExpires is when a bearer token without a session ends; else zero.
	TokenExpires time.Time
	// TokenKey is the thumbprint of the key that signed a bearer token without a
	// session; else "".
	TokenKey string
	// Judgements are what expressions made of the claims; nil where nothing keeps
	// them. Identities of the same claims may share one.
	Judgements *Judgements
}

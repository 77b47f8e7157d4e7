package identity

import (
	"slices"
	"strings"
)

// The claims that rules are about, as [Claims.Unread] names them whatever a
// provider calls them.
const (
	ClaimEmail  = "email"
	ClaimGroups = "groups"
)

// Cause is why a claim is not known although the provider may have one.
type Cause string

// The causes. They are stored: never change their text.
const (
	// CauseShape: the provider sent it in an unknown shape.
	CauseShape Cause = "shape"
	// CauseElsewhere: the provider names another place to fetch it from
	// (OpenID Connect Core, section 5.6.2).
	CauseElsewhere Cause = "elsewhere"
	// CauseRefused: the provider refused to send it.
	CauseRefused Cause = "refused"
	// CauseUnavailable: the provider could not be asked for it.
	CauseUnavailable Cause = "unavailable"
	// CauseSize: the provider sent more than is kept.
	CauseSize Cause = "size"
	// CauseUntold: the provider sent it at the sign-in, but not when it was asked
	// again.
	CauseUntold Cause = "untold"
)

// SetUnread marks a claim that is not known. It is not treated as missing: an allow
// rule about it does not match, and a deny rule does.
func (c *Claims) SetUnread(claim string, why Cause) {
	if c.Unread == nil {
		c.Unread = make(map[string]Cause)
	}
	c.Unread[claim] = why
}

// IsUnread reports whether a claim is not known although the provider may have
// one. It does not allocate.
func (c *Claims) IsUnread(claim string) bool {
	_, unread := c.Unread[claim]
	return unread
}

// InGroup reports whether the claims name a group, and all groups could be read.
func (c *Claims) InGroup(group string) bool {
	return !c.IsUnread(ClaimGroups) && slices.Contains(c.Groups, group)
}

// MayBeInGroup reports whether the user may be in a group. Deny rules ask it.
func (c *Claims) MayBeInGroup(group string) bool {
	return c.IsUnread(ClaimGroups) || c.InGroup(group) || c.GroupsLeft > 0 && !slices.Contains(c.GroupsJudged, group)
}

// MayBeUser reports whether a deny rule about a user name means this user. ASCII
// letters match in any case. A user without a verified address is called
// PROVIDER:ID, and a rule that names the address must not miss them for that.
func (c *Claims) MayBeUser(name string) bool {
	if name == "" || c.User == "" {
		return false
	}
	return EqualFoldASCII(c.User, name) || c.IsCalledByID() && IsAddress(name) && c.MayHaveEmail(name)
}

// IsCalledByID reports whether the user's name is PROVIDER:ID, as for a user
// without a verified address. The block may have had another name when it was made.
func (c *Claims) IsCalledByID() bool {
	rest, ok := strings.CutSuffix(c.User, c.ID)
	return ok && c.ID != "" && strings.HasSuffix(rest, ":")
}

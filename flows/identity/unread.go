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
	// CauseShape: the provider sent it in a shape that is not read.
	CauseShape Cause = "shape"
	// CauseElsewhere: the provider names another place to fetch it from
	// (OpenID Connect Core, section 5.6.2).
	CauseElsewhere Cause = "elsewhere"
	// CauseRefused: the provider refused to say it.
	CauseRefused Cause = "refused"
	// CauseUnavailable: the provider could not be asked for it.
	CauseUnavailable Cause = "unavailable"
	// CauseUntold: the provider said it at the sign-in, and does not any more.
	CauseUntold Cause = "untold"
)

// SetUnread marks a claim that is not known. It is never as if it were not there:
// a rule that allows by it does not match, one that denies by it does.
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

// MayBeInGroup reports whether nothing speaks against a group, which is what a
// rule that keeps people out asks.
func (c *Claims) MayBeInGroup(group string) bool {
	return c.IsUnread(ClaimGroups) || c.InGroup(group)
}

// MayBeUser reports whether a rule that keeps a user out means this one. ASCII
// letters match in any case. Who has no verified address is called PROVIDER:ID, and
// a rule that names an address must not miss them for that.
func (c *Claims) MayBeUser(name string) bool {
	if name == "" || c.User == "" {
		return false
	}
	return EqualFoldASCII(c.User, name) || c.IsCalledByID() && IsAddress(name) && c.MayHaveEmail(name)
}

// IsCalledByID reports whether the user's name is PROVIDER:ID, as it is of who has
// no verified address. The block may have had another name when it was made.
func (c *Claims) IsCalledByID() bool {
	rest, ok := strings.CutSuffix(c.User, c.ID)
	return ok && c.ID != "" && strings.HasSuffix(rest, ":")
}

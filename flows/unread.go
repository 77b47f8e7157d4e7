package flows

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// unread says in plain words which claims are not known, as a part of a sentence, or
// "" if all are.
func (g *Gateway) unread(c *identity.Claims) string {
	title := c.Provider
	if p := g.providers[c.Provider]; p != nil {
		title = p.Title()
	}
	var parts []string
	for _, of := range []struct{ claim, words string }{
		{identity.ClaimGroups, "your groups"}, {identity.ClaimEmail, "your e-mail address"},
	} {
		switch c.Unread[of.claim] {
		case "":
		case identity.CauseRefused:
			parts = append(parts, title+" refuses to tell us "+of.words)
		case identity.CauseElsewhere:
			parts = append(parts, title+" does not tell us "+of.words+" itself")
		case identity.CauseUnavailable, identity.CauseUntold:
			parts = append(parts, title+" did not tell us "+of.words+" when it was last asked (signing out and in again may help)")
		default:
			parts = append(parts, title+" tells us "+of.words+" in a way that cannot be read here")
		}
	}
	return strings.Join(parts, ", and ")
}

// unverified says that a provider does not call somebody's address verified, as a
// sentence behind another, or is "". Rules that allow by addresses do not count it then.
func (g *Gateway) unverified(c *identity.Claims) string {
	p := g.providers[c.Provider]
	if p == nil || c.Email == "" || c.EmailVerified || c.IsUnread(identity.ClaimEmail) {
		return ""
	}
	return " " + p.Title() + " doesn't say that your e-mail address is verified, so rules about addresses don't count it."
}

// logUnread says to the operator that somebody was refused, perhaps for what is not
// known of them. Why it is not known was logged when the provider said it.
func (g *Gateway) logUnread(r *web.Request, rules string, c *identity.Claims) {
	if c.GroupsLeft > 0 {
		g.Logger.WarnContext(r.Context(), "refused a user some of whose groups were left out at the sign-in; a rule about groups that is newer counts them as unknown until the next one",
			"rules", rules, "provider", c.Provider, "user", c.User, "left_out", c.GroupsLeft, "host", r.Host)
	}
	if len(c.Unread) == 0 {
		return
	}
	var claims []string
	for claim, cause := range c.Unread {
		claims = append(claims, claim+": "+string(cause))
	}
	slices.Sort(claims)
	g.Logger.WarnContext(r.Context(), "refused a user some of whose claims could not be read; the warnings at the sign-in name the claim and the cure",
		"rules", rules, "provider", c.Provider, "user", c.User, "unread", strings.Join(claims, ", "), "host", r.Host)
}

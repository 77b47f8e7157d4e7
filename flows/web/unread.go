package web

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// ProviderTitle is what people know a provider by.
func (a *Answers) ProviderTitle(name string) string {
	if title, ok := a.Titles[name]; ok {
		return title
	}
	return name
}

// Unread says in plain words which claims are not known, as a part of a sentence, or
// "" if all are.
func (a *Answers) Unread(c *identity.Claims) string {
	title := a.ProviderTitle(c.Provider)
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

// Unverified says that a provider does not call somebody's address verified, as a
// sentence behind another, or is "". Rules that allow by addresses do not count it then.
func (a *Answers) Unverified(c *identity.Claims) string {
	title, known := a.Titles[c.Provider]
	if !known || c.Email == "" || c.EmailVerified || c.IsUnread(identity.ClaimEmail) {
		return ""
	}
	return " " + title + " doesn't say that your e-mail address is verified, so rules about addresses don't count it."
}

// LogUnread says to the operator that somebody was refused, perhaps for what is not
// known of them. Why it is not known was logged when the provider said it.
func (a *Answers) LogUnread(r *Request, rules string, c *identity.Claims) {
	if c.GroupsLeft > 0 {
		a.Logger.WarnContext(r.Context(), "refused a user some of whose groups were left out at the sign-in; a rule about groups that is newer counts them as unknown until the next one",
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
	a.Logger.WarnContext(r.Context(), "refused a user some of whose claims could not be read; the warnings at the sign-in name the claim and the cure",
		"rules", rules, "provider", c.Provider, "user", c.User, "unread", strings.Join(claims, ", "), "host", r.Host)
}

package oidc

import (
	"encoding/json"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// told is what a provider says of somebody, and where it says it.
type told struct {
	idToken claimSet
	signed  bool // there is an ID token; else idToken is the subject alone
	// id of the identity, where there is no ID token; else "".
	id       string
	userinfo claimSet // nil where it was not asked or did not answer
	// accessToken is where the claims fromAccessToken are looked for, and no others;
	// nil where it cannot be read.
	accessToken     claimSet
	fromAccessToken []string
	// besides is a claim that is looked for in the access token as well; else "".
	besides string
	// overage are the groups that were fetched from where they are announced; nil if
	// they were not.
	overage json.RawMessage
	// lost is why userinfo said nothing though it was asked; else "".
	lost identity.Cause
	// lostClaims are why single claims are not known that were asked for where they
	// alone are told.
	lostClaims map[string]identity.Cause
}

// notUserinfos are claims of the ID token alone: who signed in, where and how.
var notUserinfos = []string{"iss", "aud", "azp", "exp", "iat", "nbf", "auth_time", "acr", "amr", "sid", "hd"}

// find looks a claim up, in the ID token and then in userinfo. cause says that it
// is not known though there may be one; without it, raw is nil where there is none.
func (t *told) find(name string) (raw json.RawMessage, cause identity.Cause) {
	if t.isFromAccessToken(name) {
		return t.findInAccessToken(name)
	}
	if cause := t.lostClaims[name]; cause != "" {
		return nil, cause
	}
	if slices.ContainsFunc(t.sources(name), func(s claimSet) bool { return s.delegates(name) }) {
		if name == "groups" && t.overage != nil {
			return t.overage, ""
		}
		return nil, identity.CauseElsewhere
	}
	for _, set := range t.sources(name) {
		switch raw, at := set.lookup(name); at {
		case foundValue:
			return raw, ""
		case foundBroken:
			return nil, identity.CauseShape
		case notFound:
		}
	}
	if name == t.besides && t.accessToken == nil {
		return nil, identity.CauseShape
	}
	return nil, t.lost
}

// sources are where a claim is looked for, in this order.
func (t *told) sources(name string) []claimSet {
	if name == t.besides && name != "" {
		return []claimSet{t.idToken, t.accessToken, t.userinfo}
	}
	return []claimSet{t.idToken, t.userinfo}
}

// lacks reports whether the ID token does not say a claim, and userinfo may.
func (t *told) lacks(name string) bool {
	if t.isFromAccessToken(name) {
		return false
	}
	raw, cause := t.find(name)
	return raw == nil && (cause == "" || name == t.besides && t.accessToken == nil)
}

// mentions reports whether a claim is there, though it be null: no value is told.
func (t *told) mentions(name string) bool {
	if t.isFromAccessToken(name) {
		_, ok := t.accessToken[name]
		return ok
	}
	for _, set := range t.sources(name) {
		if _, ok := set[name]; ok {
			return true
		}
	}
	return false
}

// text is a claim that is a string fit to be shown, or "".
func (t *told) text(name string) string {
	raw, _ := t.find(name)
	return textOf(raw)
}

// address is the e-mail address, and whether it is verified. Both are from one
// source: the verdict of one says nothing of the other's address.
func (t *told) address(also string, trusts func(email string) bool) (email string, verified bool, cause identity.Cause) {
	raw, cause := t.find("email")
	if raw == nil {
		return "", false, cause
	}
	email, ok := stringOf(raw)
	if email == "" && ok {
		return "", false, ""
	}
	if email = textOf(raw); email == "" {
		return "", false, identity.CauseShape
	}
	return email, t.emailSource().verifies(also, trusts(email)), ""
}

// emailSource is what the address is read of.
func (t *told) emailSource() claimSet {
	if t.idToken.has("email") {
		return t.idToken
	}
	return t.userinfo
}

// verifies takes true, and "true" as Amazon Cognito writes it; anything else is
// false. The claim is missing at Microsoft Entra, where a tenant's administrator can
// set any address: only the option makes that verified, or a claim that says it in the
// other's place.
func (s claimSet) verifies(also string, trusted bool) bool {
	if !s.has("email_verified") {
		return trusted || also != "" && slices.Contains(yes, string(s[also]))
	}
	return slices.Contains(yes[:2], string(s["email_verified"]))
}

// yes is how providers write true. Only Entra's xms_edov is a number.
var yes = []string{"true", `"true"`, "1", `"1"`}

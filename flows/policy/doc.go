// Package policy decides who may enter.
//
// A policy has lines that allow and lines that deny:
//
//	allow group staff provider sso
//	allow domain example.com provider any
//	allow claim department physics provider sso
//	deny user mallory@example.com
//	deny expression `"interns" in groups` provider sso
//
// The lines are alternatives. The conditions of one line must all hold, the
// values of one condition are alternatives. Deny wins, and what no line matches
// is refused. E-mail and domain conditions of a line that allows hold for verified,
// well-formed addresses only.
//
// A claim that is not known never loosens a rule. If a user's groups or address
// could not be read ([identity.Claims.Unread]), an allow line about them does not
// match, and a deny line does. A deny line also counts an unverified address, in
// every spelling that a mail server accepts.
package policy

// Package policy decides who may enter.
//
// A policy has lines that allow and lines that deny:
//
//	allow group staff provider sso
//	allow domain example.com provider any
//	deny user mallory@example.com
//
// The lines are alternatives. The conditions of one line must all hold, the
// values of one condition are alternatives. Deny wins, and what no line matches
// is refused. E-mail and domain conditions of a line that allows hold for verified,
// well-formed addresses only.
//
// What is not known never loosens a rule. Where a provider's groups or address
// could not be read ([identity.Claims.Unread]), a line that allows by them does not
// match, and one that denies by them does. A line that denies also counts an address
// that is not verified, and one that mail servers would read otherwise.
package policy

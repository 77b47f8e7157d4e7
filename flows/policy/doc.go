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
// is refused. E-mail and domain conditions hold for verified, well-formed
// addresses only.
package policy

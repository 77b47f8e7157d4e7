// Package github signs people in at GitHub, or at a GitHub Enterprise Server,
// which speak OAuth 2.0 without OpenID Connect for users: the identity is the
// numeric account id, the address is the verified primary one, and with the scope
// read:org organisations and teams are groups, "org" and "org/team".
package github

// Package openid is an OpenID provider for tests: the example server of
// github.com/zitadel/oidc, a certified implementation that shares no code with
// Gatehouse, served on a loopback port.
package openid

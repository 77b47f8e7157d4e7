// Package token mints and verifies the JSON Web Tokens that Gatehouse issues:
// access tokens (RFC 9068), ID tokens and logout tokens (OpenID Connect). Its
// keys rotate by themselves, are shared by all nodes through the token store,
// and sign from memory.
package token

// Package token mints and verifies the JSON Web Tokens that Gatehouse issues:
// access tokens (RFC 9068), ID tokens and logout tokens (OpenID Connect). Its
// keys rotate by themselves, are shared by all nodes through the token store,
// and sign from memory.
//
// A key is sealed by the secret that was configured first when the key was made,
// and signs only where that is configured still. So a former secret may go when
// the keys have been rotated since it was the first: after 30 days, or an hour
// after a rotation on command. What becomes of a secret that is lost, [ErrSealed]
// tells.
package token

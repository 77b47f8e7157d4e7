// Package accesstoken verifies the access tokens that we issued (RFC 9068): what a
// request presents, the signature, once, the key that it is bound to (RFC 9449), and
// that neither its session nor it was revoked. What outlives its request is watched.
package accesstoken

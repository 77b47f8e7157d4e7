// Package clientjwt reads what clients sign with keys of their own: assertions
// (RFC 7523) and DPoP proofs (RFC 9449), and the keys themselves.
package clientjwt

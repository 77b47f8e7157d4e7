// Package handle makes and reads the opaque strings that Gatehouse hands out:
// session handles, refresh tokens, codes and device codes.
//
// Each has a fixed length and exactly one spelling. Handles and refresh tokens
// carry a MAC, so that garbage is refused without asking a store, and a secret
// of which the store keeps only the hash, so that neither a leaked database
// nor a leaked key alone makes one.
package handle

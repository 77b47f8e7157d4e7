// Package applications runs applications behind a guard of the built gateway, each with
// the client that people use it with: signed in by an access token, revoked in the
// middle, and back again with another one.
package applications

// Package local signs in the users that the configuration lists, by name and
// password.
//
// Whether a user exists cannot be told from an answer or from the time that it
// takes: an unknown name costs one comparison too, with the hash of another
// user, whose outcome is thrown away. Hashes are expensive by design, so that
// at most one per core is computed at once; see [Queue].
package local

// Package vault keeps the tokens that outside providers issued for users, and
// obtains fresh ones from them at any time.
//
// It is the layer above the token store that seals and opens. Each token is
// sealed for its place (table, subject, provider, client, column), so that rows
// cannot be swapped between users, providers or columns. Rows sealed by a
// former secret stay readable for as long as that secret is configured, and are
// sealed anew in the background. A row whose key is missing is [ErrKey]; the
// others are not affected.
//
// [Vault.Fresh] is the way to a usable access token: one refresh at a time in
// the process and, by a lease, across nodes; the rotated refresh token is
// written back; no transaction is held over HTTP. Whatever is removed is
// revoked at the provider too, through the store's outbox, which the gateway
// drains with [Vault.Revoke].
package vault

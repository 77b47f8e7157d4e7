// Package oidc signs people in at an OpenID Connect provider: authorization
// code with PKCE S256 and nonce, ID tokens verified strictly, tokens refreshed
// and revoked, sign-out in both directions.
//
// # What is refused
//
//   - another issuer than the configured one, in the metadata, the ID token and
//     the authorization response (RFC 9207, against mix-up);
//   - an ID token without exp, iat, sub or the nonce; of another audience or
//     authorized party; signed by a symmetric algorithm or by none; with a key in
//     its header; or of another type, such as an access token (RFC 8725);
//   - keys that are symmetric, weak or not on their curve;
//   - redirects, answers of more than 1 MiB or that take more than 10 seconds.
//
// # What is fetched when
//
// Metadata and keys are fetched when first needed, so that a provider that is
// down stops nobody from starting. They are then kept and renewed in the
// background; while that fails, the old ones serve. An unknown key id fetches
// the keys at most once a minute, whoever sends how many.
package oidc

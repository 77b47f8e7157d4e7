// Package preset holds what is known of single providers: their issuers, what they
// call things, and where they deviate from OpenID Connect. Each is one file that
// registers a [Preset] and names the public documentation that it follows. What a
// deviation means is in package oidc, as a named field of its configuration; nothing
// there asks for a provider's name.
package preset

// Package presets runs the Caddyfile of each page in docs/providers against a process
// that answers as the provider's public documentation says: its issuer, its spellings,
// and what it refuses. The gateway reaches it under the provider's own name, by TLS, by
// way of a proxy that its environment names.
package presets

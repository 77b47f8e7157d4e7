// Package resource knows the protected resources of guarded sites: those that guards
// name by a path, and the origins of sites, which are resources as well (RFC 8707, RFC
// 9728). A token for one of them opens no other.
package resource

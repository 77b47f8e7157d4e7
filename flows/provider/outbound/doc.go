// Package outbound is how Gatehouse speaks to identity providers: without
// following redirects, within bounds of time and size, and trusting nothing in
// an answer.
package outbound

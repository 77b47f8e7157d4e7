// Package guard decides about requests to guarded sites: who somebody is, by session
// cookie or access token, whether policies let them in, and what the upstream gets
// instead of our own credentials. It also writes the answers to those who do not pass.
package guard

// Package upstream is an application behind the gateway, for tests that ask
// what reaches it.
package upstream

// Package faultproxy is a TCP proxy that misbehaves on demand, for tests of
// what the gateway does when a database, a cache or a provider is slow, gone or
// silent.
package faultproxy

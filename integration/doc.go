// Package integration tests the built gateway as its users meet it: a process
// of its own, in front of a real upstream, with real browsers, a real OpenID
// provider, a real Postgres and a real Redis.
//
// A test's name is the promise that it holds the gateway to:
//
//	TestQuickstart_SignInLandsOnTheAskedForPage
//
// The packages below it are the parts that such tests are made of: gateway
// starts, reloads, kills and restarts the process and looks for secrets in its
// log; browser is an HTTP client that behaves as a browser does, chromium is a
// real one; openid is an OpenID provider; upstream is an application behind the
// gateway; faultproxy is a network that misbehaves.
package integration

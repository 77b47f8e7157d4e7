// Package bench measures what the gateway costs a request, in the built gateway
// as a process on loopback:
//
//	go test -run '^$' -bench . -benchtime 40x ./bench
//
// BenchmarkGuardedRequest has options, behind -args: -connections, -sessions and -token.
// BenchmarkForwardAuth needs oauth2-proxy, which it measures against, and
// BenchmarkGuardedRequest measures it too where it is: on the path, or named by
// GATEHOUSE_TEST_OAUTH2_PROXY.
//
// The load generator and the upstream are a few lines that read and write
// prepared bytes, so that most of the machine is the gateway's.
package bench

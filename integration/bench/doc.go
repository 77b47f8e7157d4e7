// Package bench measures what the gateway costs a request, in the built gateway
// as a process on loopback:
//
//	go test -run '^$' -bench . -benchtime 40x ./bench
//
// The load generator and the upstream are a few lines that read and write
// prepared bytes, so that most of the machine is the gateway's.
package bench

// Package crash kills gateways, Postgres and Redis (kill -9) while people sign in,
// programs refresh their tokens, devices poll and sessions end, and judges
// every confirmed answer afterwards:
//
//	GATEHOUSE_TEST_SOAK=1 GATEHOUSE_TEST_KILLS=50 go test -v -timeout 0 ./crash
//
// TestVault… kill the node that refreshes a provider's token, storm an expired one from
// three nodes, change secrets under load, and print figures:
//
//	GATEHOUSE_TEST_SOAK=1 GATEHOUSE_TEST_KILLS=5 go test -v -timeout 30m -run TestVault ./crash
//
// [Ledger] holds the answers and [Ledger.Judge] knows the rules; it knows no
// gateway, so that its own tests can show that it finds what it looks for.
package crash

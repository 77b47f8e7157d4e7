package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Harness is one store under test.
type Harness struct {
	// Store is newly opened, on an empty database, and not yet migrated. The
	// function that opened it closes it, by t.Cleanup, even when the test has.
	Store tokenstore.Store
	// Peer, when not nil, is another store of the same database, as another
	// node has it. Calls that race each other are then spread over both.
	// [RunRaces] needs one.
	Peer tokenstore.Store
	// Advance shifts the clock by which the store judges what has expired, at
	// once and for all its connections and its peer; a negative d sets it back.
	// It must not wait. Nobody else's clock changes: the store's differs from the
	// caller's afterwards, as it may in production.
	Advance func(d time.Duration)
}

// Run runs the whole suite. It calls open for each test, from the test's
// goroutine; no two stores that it returned are in use at a time.
func Run(t *testing.T, open func(t testing.TB) Harness) {
	run(t, open, func(test) bool { return true })
}

// RunRaces runs the tests whose calls race each other, spread over a store and
// its peer. The other tests would never reach the peer: [Run] has them.
func RunRaces(t *testing.T, open func(t testing.TB) Harness) {
	run(t, open, func(tt test) bool { return tt.races })
}

func run(t *testing.T, open func(t testing.TB) Harness, chosen func(test) bool) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Schema", schemaTests},
		{"Subjects", subjectTests},
		{"SignIn", signInTests},
		{"Consents", consentTests},
		{"Delegations", delegationTests},
		{"IdentityEmail", identityEmailTests},
		{"Sessions", sessionTests},
		{"Claims", claimsTests},
		{"ProviderSession", providerSessionTests},
		{"Listing", listingTests},
		{"Revalidate", revalidateTests},
		{"Revoke", revokeTests},
		{"Rotate", rotateTests},
		{"Unrotate", unrotateTests},
		{"ProviderTokens", providerTokenTests},
		{"ProviderTokenQuery", providerTokenQueryTests},
		{"Lease", leaseTests},
		{"Outbox", outboxTests},
		{"SigningKeys", signingKeyTests},
		{"TokenIDs", tokenIDTests},
		{"Maintain", maintainTests},
		{"Input", inputTests},
		{"Clock", clockTests},
		{"Storm", stormTests},
		{"Model", modelTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, tt := range g.tests {
				if chosen(tt) {
					t.Run(tt.name, func(t *testing.T) { tt.check(newEnv(t, open(t), !tt.bare)) })
				}
			}
		})
	}
}

// test is one test; a bare one gets the store before it is migrated.
type test struct {
	name  string
	run   func(*env)
	bare  bool
	races bool // it calls the store and its peer at once, by [env.node]
}

// check runs the test, and holds it to what it says of itself.
func (tt test) check(e *env) {
	tt.run(e)
	if spread := e.spread.Load(); spread != tt.races && !e.Failed() {
		e.Errorf("the test is marked as one of races: %v, but calls the peer: %v", tt.races, spread)
	}
}

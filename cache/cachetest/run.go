package cachetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// The caps that a store under test is opened with: small, so that they are
// reached, and the global one not a multiple of the owner's.
const (
	OwnerCap  = 8
	GlobalCap = 19
)

// Caps returns OwnerCap and GlobalCap as options.
func Caps() cache.Caps { return cache.Caps{Owner: OwnerCap, Global: GlobalCap} }

// Harness is one store under test.
type Harness struct {
	// Store is empty, and was opened with [Caps].
	Store cache.Store
	// Other is a second store on the same state, as another node has it. nil
	// where the implementation has only one node.
	Other cache.Store
	// Advance moves the clock of the cache, as both stores see it, on by d,
	// without waiting. Real time goes on as well.
	Advance func(d time.Duration)
}

// nodes are the stores to try from.
func (h Harness) nodes() []cache.Store {
	if h.Other == nil {
		return []cache.Store{h.Store}
	}
	return []cache.Store{h.Store, h.Other}
}

// other is another node, or the same where there is one.
func (h Harness) other() cache.Store {
	nodes := h.nodes()
	return nodes[len(nodes)-1]
}

// Run runs the suite. It calls open for each test, which gives it an empty
// store, and closes it with t.Cleanup.
func Run(t *testing.T, open func(t testing.TB) Harness) {
	for _, group := range [][]test{
		startTests, advanceTests, redeemTests, pollTests, reopenTests, expiryTests, capTests, sizeTests, noteTests,
		concurrencyTests, aliasTests, throttleTests, announcementTests, lifecycleTests,
	} {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
		}
	}
	t.Run("AgreesWithTheModel", func(t *testing.T) { testModel(t, open(t)) })
}

type test struct {
	name string
	run  func(t *testing.T, h Harness)
}

package cachetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// contenders try for the same thing at once, spread over the nodes.
const contenders = 32

var concurrencyTests = []test{
	{"Concurrency_OneRedeems", testOneRedeems},
	{"Concurrency_OnePollDelivers", testOnePolls},
	{"Concurrency_OneAdvances", testOneAdvances},
	{"Concurrency_OneStarts", testOneStarts},
	{"Concurrency_CapsHold", testCapsHold},
}

// contend runs try from all contenders at once and counts how often it said
// true.
func contend(h Harness, try func(s cache.Store, i int) bool) int {
	nodes := h.nodes()
	results := make([]bool, contenders)
	var wait sync.WaitGroup
	begin := make(chan struct{})
	for i := range contenders {
		wait.Go(func() {
			<-begin
			results[i] = try(nodes[i%len(nodes)], i)
		})
	}
	close(begin)
	wait.Wait()
	won := 0
	for _, result := range results {
		if result {
			won++
		}
	}
	return won
}

func testOneRedeems(t *testing.T, h Harness) {
	for round := range 20 {
		key := fmt.Sprintf("code:%d", round)
		start(t, h.Store, ready(key))
		won := contend(h, func(s cache.Store, _ int) bool {
			_, err := s.RedeemFlow(t.Context(), key, proof, "")
			if err != nil && !errors.Is(err, cache.ErrUsed) {
				t.Errorf("a loser got %v", err)
			}
			return err == nil
		})
		if won != 1 {
			t.Fatalf("%d have redeemed one flow", won)
		}
	}
}

func testOnePolls(t *testing.T, h Harness) {
	for round := range 20 {
		key := fmt.Sprintf("device:%d", round)
		start(t, h.Store, ready(key))
		won := contend(h, func(s cache.Store, _ int) bool {
			f, err := s.PollFlow(t.Context(), key, proof, "")
			if err != nil && !errors.Is(err, cache.ErrUsed) {
				t.Errorf("a loser got %v", err)
			}
			return err == nil && f.State == cache.Done && len(f.Value) > 0
		})
		if won != 1 {
			t.Fatalf("%d polls have delivered one flow", won)
		}
	}
}

func testOneAdvances(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	won := contend(h, func(s cache.Store, i int) bool {
		_, err := s.AdvanceFlow(t.Context(), cache.Transition{
			Key: "code:1", From: cache.Pending, To: cache.Ready, Value: fmt.Appendf(nil, "%d", i),
		})
		return err == nil
	})
	if won != 1 {
		t.Fatalf("%d have advanced one flow", won)
	}
}

func testOneStarts(t *testing.T, h Harness) {
	won := contend(h, func(s cache.Store, _ int) bool {
		return s.StartFlow(t.Context(), owned(pending("code:1"), "a")) == nil
	})
	if won != 1 {
		t.Fatalf("%d have started one flow", won)
	}
	wantFree(t, h.Store, "a", OwnerCap-1)
}

func testCapsHold(t *testing.T, h Harness) {
	won := contend(h, func(s cache.Store, i int) bool {
		err := s.StartFlow(t.Context(), owned(ready(fmt.Sprintf("code:%d", i)), "a"))
		if err != nil && !errors.Is(err, cache.ErrFull) {
			t.Errorf("StartFlow = %v", err)
		}
		return err == nil
	})
	if won > OwnerCap {
		t.Fatalf("%d flows of one owner, whose cap is %d", won, OwnerCap)
	}
	// Who was refused at the same time has left nothing behind.
	for i := range contenders {
		wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), fmt.Sprintf("code:%d", i), "a"))
	}
	wantFree(t, h.Store, "a", OwnerCap)
	wantFree(t, h.Store, "", GlobalCap)
}

package cachetest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// Values as callers might seal them: any bytes at all.
var (
	binary = []byte("a\x00b\xff\xfe\r\n$5\r\n")
	proof  = []byte("\x00\x01proof\xff")
	wrong  = []byte("\x00\x01proof\xfe")
)

const validity = 10 * time.Minute

// pending is a flow to start with, of nobody.
func pending(key string) cache.NewFlow {
	return cache.NewFlow{Key: key, State: cache.Pending, Value: binary, Proof: proof, Validity: validity}
}

func ready(key string) cache.NewFlow {
	f := pending(key)
	f.State = cache.Ready
	return f
}

func owned(f cache.NewFlow, owner string) cache.NewFlow {
	f.Owner = owner
	return f
}

func start(t testing.TB, s cache.Store, flows ...cache.NewFlow) {
	t.Helper()
	for _, f := range flows {
		if err := s.StartFlow(t.Context(), f); err != nil {
			t.Fatalf("StartFlow(%s) = %v", f.Key, err)
		}
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

func wantOK(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v", what, err)
	}
}

// wantState reads a flow and compares its state, and that it is read at all.
func wantState(t testing.TB, s cache.Store, key string, want cache.State) {
	t.Helper()
	f, err := s.Flow(t.Context(), key)
	wantOK(t, "Flow", err)
	if f.State != want {
		t.Fatalf("state = %s, want %s", f.State, want)
	}
}

func redeem(t testing.TB, s cache.Store, key string) cache.Flow {
	t.Helper()
	f, err := s.RedeemFlow(t.Context(), key, proof, "")
	wantOK(t, "RedeemFlow", err)
	return f
}

func advance(t testing.TB, s cache.Store, change cache.Transition) cache.Flow {
	t.Helper()
	f, err := s.AdvanceFlow(t.Context(), change)
	wantOK(t, "AdvanceFlow", err)
	return f
}

// wantFull compares which cap refused.
func wantFull(t testing.TB, err error, name string, limit int) {
	t.Helper()
	wantErr(t, "StartFlow", err, cache.ErrFull)
	var full *cache.FullError
	if !errors.As(err, &full) || full.Cap != name || full.Limit != limit {
		t.Fatalf("cap = %#v, want %s %d", full, name, limit)
	}
}

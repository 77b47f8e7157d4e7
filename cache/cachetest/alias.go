package cachetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var aliasTests = []test{
	{"Alias_LeadsToItsTargetUntilItExpires", testAlias},
	{"Alias_OneWinsAName", testAliasRace},
	{"Alias_IsNoFlow", testAliasIsNoFlow},
}

func testAlias(t *testing.T, h Harness) {
	_, err := h.Store.Alias(t.Context(), "BCDF-GHJK")
	wantErr(t, "Alias", err, cache.ErrNotFound)
	wantOK(t, "SetAlias", h.Store.SetAlias(t.Context(), "BCDF-GHJK", "device:1", time.Minute))
	wantErr(t, "SetAlias", h.other().SetAlias(t.Context(), "BCDF-GHJK", "device:2", time.Hour), cache.ErrExists)
	target, err := h.other().Alias(t.Context(), "BCDF-GHJK")
	if err != nil || target != "device:1" {
		t.Fatalf("Alias = %q, %v", target, err)
	}
	h.Advance(time.Minute)
	_, err = h.Store.Alias(t.Context(), "BCDF-GHJK")
	wantErr(t, "Alias", err, cache.ErrNotFound)
	wantOK(t, "SetAlias", h.Store.SetAlias(t.Context(), "BCDF-GHJK", "device:2", time.Hour))
	h.Advance(30 * time.Minute)
	target, err = h.Store.Alias(t.Context(), "BCDF-GHJK")
	if err != nil || target != "device:2" {
		t.Fatalf("Alias = %q, %v", target, err)
	}
}

func testAliasRace(t *testing.T, h Harness) {
	won := contend(h, func(s cache.Store, _ int) bool {
		return s.SetAlias(t.Context(), "name", "target", time.Minute) == nil
	})
	if won != 1 {
		t.Fatalf("%d have set one alias", won)
	}
}

func testAliasIsNoFlow(t *testing.T, h Harness) {
	wantOK(t, "SetAlias", h.Store.SetAlias(t.Context(), "name", "target", time.Minute))
	start(t, h.Store, pending("name"))
	target, err := h.Store.Alias(t.Context(), "name")
	if err != nil || target != "target" {
		t.Fatalf("Alias = %q, %v", target, err)
	}
}

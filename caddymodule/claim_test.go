package caddymodule

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// A second start on the same ports is no error to Caddy. That its gateway shares
// nothing but a file with the first one can be told.
func TestClaim_WarnsOfAnotherGateway(t *testing.T) {
	store := &SQLite{path: filepath.Join(t.TempDir(), "gatehouse.db")}
	const warning = "another gateway has the same token store open"
	said := func(cache CacheModule) string {
		t.Helper()
		var log strings.Builder
		s := &shared{log: slog.New(slog.NewTextHandler(&log, nil))}
		s.warnOfOthers(&App{tokenStore: store, cache: cache})
		t.Cleanup(s.releaseClaim)
		return log.String()
	}

	other, err := newClaim(store.lockFile()) // not by the pool, so as another process has it
	if err != nil {
		t.Fatal(err)
	}
	if other.others {
		t.Error("the first gateway is told of another one")
	}
	if got := said(new(Memory)); !strings.Contains(got, warning) || !strings.Contains(got, store.path) {
		t.Errorf("the second one is told %q", got)
	}
	if got := said(new(Memory)); got != "" {
		t.Errorf("a reload is told again: %q", got)
	}
	if got := said(new(Redis)); got != "" {
		t.Errorf("gateways with a shared cache are told %q", got)
	}
	if third, err := newClaim(store.lockFile()); err != nil || !third.others || third.Destruct() != nil {
		t.Errorf("a third one: %+v, %v", third, err)
	}
	if err := other.Destruct(); err != nil {
		t.Error(err)
	}
	if third, err := newClaim(store.lockFile()); err != nil || !third.others || third.Destruct() != nil {
		t.Errorf("a third one beside the second: %+v, %v", third, err)
	}
}

func TestClaim_EndsWithTheGateway(t *testing.T) {
	dir := t.TempDir()
	const sites = "http://app.example.com {\n\tgatehouse\n}\n"
	first, err := start(t, config(t, dir, aliceLocal, sites))
	if err != nil {
		t.Fatal(err)
	}
	// As a reload does, with other secrets and so with another entry.
	second, err := start(t, config(t, dir, "secret \"a secret that only tests know\"\n"+aliceLocal, sites))
	if err != nil {
		t.Fatal(err)
	}
	file := first.app.tokenStore.(*SQLite).lockFile()
	for _, r := range []*running{first, second} {
		if c, err := newClaim(file); err != nil || !c.others || c.Destruct() != nil {
			t.Errorf("a gateway that runs claims nothing: %+v, %v", c, err)
		}
		r.stop()
	}
	if c, err := newClaim(file); err != nil || c.others || c.Destruct() != nil {
		t.Errorf("a gateway that has ended claims its file: %+v, %v", c, err)
	}
}

package caddymodule

import (
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
)

// claim is what each process holds on a token store in a file, for as long as it
// has that open. Claims go side by side; who makes one sees whether there are
// others.
type claim struct {
	file   *os.File
	others bool
}

// newClaim makes a claim by a lock file, which stays.
func newClaim(path string) (*claim, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	alone, err := lockAlone(file)
	if err == nil {
		err = lockShared(file)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return &claim{file: file, others: !alone}, nil
}

// Destruct ends the claim.
func (c *claim) Destruct() error { return c.file.Close() }

// warnOfOthers warns when another process has the token store's file open while
// each keeps what goes on in its own memory. That is what a second `run` by
// mistake leads to: Caddy lets others listen on its ports (SO_REUSEPORT), so it
// starts without an error, and each gateway gets some of the connections.
func (s *shared) warnOfOthers(a *App) {
	store, ok := a.tokenStore.(*SQLite)
	if !ok || a.cache.Shared() {
		return
	}
	key := "claim " + store.path
	value, again, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return newClaim(store.lockFile()) })
	if err != nil {
		s.log.Debug("whether another gateway has the same token store open cannot be told", "error", err)
		return
	}
	s.claimed = key
	if c, ok := value.(*claim); ok && c.others && !again {
		s.log.Warn("another gateway has the same token store open, and maybe the same ports, on which each then gets some of the connections: "+
			"sign-ins under way and sign-outs at the one are not known to the other; stop one of them, or give both the same cache redis",
			"token_store", store.path)
	}
}

func (s *shared) releaseClaim() {
	if s.claimed != "" {
		_, _ = pool.Delete(s.claimed)
	}
}

// Interface guard
var _ caddy.Destructor = (*claim)(nil)

package vault

import "sync/atomic"

// Stats count what a vault did since it was made, for metrics.
type Stats struct {
	// Refreshed tokens, by this node.
	Refreshed uint64
	// RefreshFailed for now: the provider was down or answered nonsense.
	RefreshFailed uint64
	// NeedsReauth: the provider refused the refresh token for good.
	NeedsReauth uint64
	// Lost are fresh tokens that could not be written back in half a minute. The refresh token
	// that the provider gave with them is lost.
	Lost uint64
	// Resealed rows.
	Resealed uint64
	// Unreadable rows that the last round of resealing met: more than 0
	// deserves an alert, for a secret is missing.
	Unreadable uint64
	// Revoked tokens, at their provider.
	Revoked uint64
}

type counters struct {
	refreshed, refreshFailed, needsReauth, lost, resealed, unreadable, revoked atomic.Uint64
}

// Stats returns the numbers as they are now.
func (v *Vault) Stats() Stats {
	c := &v.counters
	return Stats{
		Refreshed: c.refreshed.Load(), RefreshFailed: c.refreshFailed.Load(), NeedsReauth: c.needsReauth.Load(),
		Lost: c.lost.Load(), Resealed: c.resealed.Load(), Unreadable: c.unreadable.Load(), Revoked: c.revoked.Load(),
	}
}

func (v *Vault) count(s *source, result string) {
	if v.Counted != nil {
		v.Counted(s.Name(), result)
	}
}

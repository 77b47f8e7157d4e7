package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// resealInterval is how often rows are looked for that a former secret
	// sealed: nodes that do not have the new one yet go on writing some.
	resealInterval = time.Hour
	// resealPage is how many rows are read by one query, and resealPause the
	// time between two pages, so that a large table is no load.
	resealPage  = 50
	resealPause = 200 * time.Millisecond
	resealLease = 10 * time.Second
)

func (v *Vault) resealForEver(ctx context.Context) {
	ticker := time.NewTicker(resealInterval)
	defer ticker.Stop()
	for {
		if err := v.Reseal(ctx); err != nil && ctx.Err() == nil {
			v.Logger.WarnContext(ctx, "resealing provider tokens stopped; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Reseal seals all rows anew, under the current secret, that another one
// sealed. Rows that cannot be opened, or that somebody is refreshing, are left
// as they are. [Vault.Run] does it at once and every hour.
func (v *Vault) Reseal(ctx context.Context) error {
	unreadable, missing := uint64(0), ""
	q := tokenstore.ProviderTokenQuery{KeyIDNot: v.Keyring.KeyID(), Limit: resealPage}
	for {
		rows, err := v.Store.ListProviderTokens(ctx, q)
		if err != nil {
			return err
		}
		for _, row := range rows {
			err := v.reseal(ctx, row)
			switch {
			case errors.Is(err, ErrKey), errors.Is(err, ErrSealed):
				unreadable++
				missing = row.KeyID
			case errors.Is(err, tokenstore.ErrConflict), errors.Is(err, tokenstore.ErrNotFound):
				// Being refreshed, written or removed: not ours to touch.
			case err != nil:
				return err
			}
			q.AfterSubject, q.AfterProvider = row.Subject, row.Provider
		}
		if len(rows) < resealPage {
			break
		}
		v.pause(ctx, resealPause)
	}
	if v.counters.unreadable.Swap(unreadable) != unreadable && unreadable > 0 {
		v.Logger.ErrorContext(ctx, "provider tokens were sealed by a secret that is not configured; they cannot be used until it is",
			"rows", unreadable, "key_id", missing)
	}
	return nil
}

// reseal seals one row anew. It holds the row's lease meanwhile: a write ends
// whatever lease there is, and must not end that of a refresh under way. Whoever
// left a refresh unfinished before stays the row's last owner: sealing anew says
// nothing of what became of that.
func (v *Vault) reseal(ctx context.Context, row tokenstore.ProviderToken) error {
	if _, err := v.open(row); err != nil {
		return err
	}
	row, err := v.Store.ProviderToken(ctx, row.Subject, row.Provider) // as it is now, and not when the page was read
	if err != nil || row.KeyID == v.Keyring.KeyID() {
		return err
	}
	owner := hex.EncodeToString(v.Keyring.Random(16))
	leased, err := v.Store.LeaseProviderToken(ctx, row.Subject, row.Provider, row.Version, owner, resealLease)
	if err != nil {
		return err
	}
	t, err := v.open(leased)
	if err == nil {
		next := v.seal(leased, t.AccessToken, t.RefreshToken)
		next.Narrowed = v.sealNarrowed(next, v.openNarrowed(leased))
		next.LeaseOwner, next.LeaseUntil = row.LeaseOwner, time.Time{}
		_, err = v.Store.UpdateProviderToken(ctx, next)
	}
	if err != nil {
		v.unlease(ctx, leased, owner, row.LeaseOwner != "")
		return err
	}
	v.counters.resealed.Add(1)
	return nil
}

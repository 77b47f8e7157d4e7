package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ErrSealed: this node cannot open a signing key. It comes with ErrNoKey where
// that is why nothing can be signed.
//
// Nothing is done about it without somebody's word. Whether the secret is lost, or
// this node was given a wrong one, or all nodes were by a deployment that will be
// undone, looks the same from here, and new keys are no remedy for the latter two:
// a node that took over the keys would keep the others from signing, and one that
// signed would refuse as forgeries the refresh tokens that the right secret made,
// which clients then throw away. An error that may be tried again loses nobody
// anything.
var ErrSealed = errors.New("a signing key cannot be opened with the configured secrets: configure the secret that it was sealed by as well, " +
	"after the first one; if that is lost, replace the keys (keys rotate --lost-secret)")

// Ready tells why nothing can be signed with one of the algorithms, or nil:
// ErrNoKey, and ErrSealed if that is the reason.
func (k *Keys) Ready(algs ...string) error {
	set := k.current.Load()
	for _, alg := range algs {
		switch {
		case set == nil:
			return ErrNoKey
		case set.active[alg] != nil:
		case set.sealed[alg] != "":
			return fmt.Errorf("%w: %s key %s: %w", ErrNoKey, alg, set.sealed[alg], ErrSealed)
		default:
			return ErrNoKey
		}
	}
	return nil
}

// Sealed returns ErrSealed, naming the key, if this node cannot open an active
// key of one of its algorithms, or nil.
func (k *Keys) Sealed() error {
	for _, alg := range k.Algorithms {
		if err := k.Ready(alg); errors.Is(err, ErrSealed) {
			return err
		}
	}
	return nil
}

// ReplaceSealed makes new keys active, now, in place of those that this node
// cannot open: somebody said that their secret is lost. Nodes that have it cannot
// sign afterwards. The old keys are published like any that was rotated out, until
// nothing that they signed is alive; whoever verifies tokens by an older copy of
// the JWKS does not know the new ones until it is fetched anew.
func (k *Keys) ReplaceSealed(ctx context.Context) error {
	k.refresh.Lock()
	defer k.refresh.Unlock()
	if k.File != "" {
		return errFile
	}
	for _, alg := range k.Algorithms {
		if err := k.replaceSealed(ctx, alg); err != nil {
			return fmt.Errorf("replacing %s keys: %w", alg, err)
		}
	}
	rows, _, err := k.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	return k.load(rows)
}

// replaceSealed promotes what waits, and adds and promotes a key of our own, until
// we can open both the active and the pending key. Other nodes may be at it too.
func (k *Keys) replaceSealed(ctx context.Context, alg string) error {
	const steps = 8 // four, if nobody else is at it
	for range steps {
		rows, _, err := k.Store.SigningKeys(ctx)
		if err != nil {
			return err
		}
		active, pending := find(rows, alg)
		switch {
		case active != nil && k.opens(active) && (pending == nil || k.opens(pending)):
			return nil
		case pending == nil:
			err = k.add(ctx, alg)
		case active == nil:
			err = k.Store.PromoteSigningKey(ctx, "", pending.ID)
		default:
			err = k.Store.PromoteSigningKey(ctx, active.ID, pending.ID)
		}
		if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("other nodes replace them as well: %w", tokenstore.ErrConflict)
}

// find returns the active and the pending key of an algorithm, or nil.
func find(rows []tokenstore.SigningKey, alg string) (active, pending *tokenstore.SigningKey) {
	for i := range rows {
		switch row := &rows[i]; {
		case row.Algorithm != alg:
		case row.State == tokenstore.KeyActive:
			active = row
		case row.State == tokenstore.KeyPending:
			pending = row
		}
	}
	return active, pending
}

// opens reports whether this node can sign with a key.
func (k *Keys) opens(row *tokenstore.SigningKey) bool {
	if known := reuse(k.current.Load(), *row); known != nil {
		return true
	}
	_, err := k.Keyring.Open(sealLabel, sealPlace(row.ID), row.Private)
	return err == nil
}

// strange reports whether this node cannot open a key of the given states: the
// keys are not its own to move on.
func (k *Keys) strange(rows []tokenstore.SigningKey, states ...tokenstore.KeyState) bool {
	return slices.ContainsFunc(rows, func(row tokenstore.SigningKey) bool {
		return slices.Contains(k.Algorithms, row.Algorithm) && slices.Contains(states, row.State) && !k.opens(&row)
	})
}

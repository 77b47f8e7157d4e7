package authcode

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// GiveBackTimeout bounds how long somebody who is told to try again waits for the
// code to be given back.
const GiveBackTimeout = 3 * time.Second

// Config is what Codes are made of.
type Config struct {
	Sessions *session.Manager
	Store    tokenstore.Store
	Cache    cache.Store
	Keyring  *keyring.Keyring
	Logger   *slog.Logger
	Now      func() time.Time
}

// Codes are the codes that can be redeemed at this node. It is safe for concurrent use.
type Codes struct {
	Config
	// redemptions that are under way here.
	redemptions redemptions
}

// New makes Codes.
func New(c Config) *Codes { return &Codes{Config: c} }

// Redemption is one attempt to make a session of a code, a device code or a
// hand-over.
//
// The token store decides: it takes a session's id, which is the code's, once.
// The cache compares the proof and keeps what the code stands for, but that it was
// taken there does not say that anything came of it: a process may have crashed,
// an answer been lost, the store been down. So a code that was taken and left
// no session is redeemed by whoever presents it next with everything right.
//
// An attempt that fails may have stored its session all the same, if the answer
// was lost. It leaves its mark with the flow before anybody is told to try again,
// and the next attempt takes that session over: its secret was given to nobody.
// A session that no mark names was given to somebody, and to redeem its code
// again is a replay.
type Redemption struct {
	ID     uuid.UUID // of the code, and of the session that comes of it
	Key    string    // of the flow
	Flow   cache.Flow
	Again  bool // the code was taken before
	codes  *Codes
	began  time.Time
	secret [handle.SecretSize]byte
	meets  func(mark []byte) bool
}

// Begin begins an attempt of a request that came at a time. The caller leaves once it
// has answered.
func (c *Codes) Begin(id uuid.UUID, key string, came time.Time) (t *Redemption, leave func()) {
	t = &Redemption{ID: id, Key: key, codes: c, began: came}
	copy(t.secret[:], c.Keyring.Random(len(t.secret)))
	t.meets, leave = c.redemptions.enter(id, t.mark())
	return t, leave
}

// Redeem tries one proof after the other until one is the flow's: a code may
// have been bound to a DPoP key beforehand, or a hand-over begun under a secret
// that is no longer the first. An error says that there is nothing to make a session of.
func (t *Redemption) Redeem(ctx context.Context, proofs [][]byte, owner string) error {
	var flow cache.Flow
	var err error
	for _, p := range proofs {
		flow, err = t.codes.Cache.RedeemFlow(ctx, t.Key, p, owner)
		if !errors.Is(err, cache.ErrMismatch) {
			break
		}
	}
	return t.took(flow, err)
}

// Poll is Redeem for a device code. Without an error the flow may be pending still, or
// refused.
func (t *Redemption) Poll(ctx context.Context, proof []byte) error {
	return t.took(t.codes.Cache.PollFlow(ctx, t.Key, proof, ""))
}

// took takes the cache's answer.
func (t *Redemption) took(flow cache.Flow, err error) error {
	t.Flow, t.Again = flow, errors.Is(err, cache.ErrUsed)
	if t.Again && len(flow.Value) > 0 {
		return nil
	}
	return err
}

// Grant is what the code stands for, once it is redeemed.
func (t *Redemption) Grant() (Grant, error) { return t.codes.Open(t.Flow) }

// Spent reports whether an error of the attempt means that somebody has the session
// already. Of a code that was taken before, what else is wrong is not told.
func (t *Redemption) Spent(err error) bool {
	return errors.Is(err, tokenstore.ErrExists) || t.Again && err != nil && !oautherror.IsPassing(err)
}

// mark is what names this attempt.
func (t *Redemption) mark() []byte { return handle.Handle{Secret: t.secret}.SecretHash() }

// Fill gives a session the id, the secret and the earlier attempts.
func (t *Redemption) Fill(s *session.Start) {
	s.ID, s.Secret, s.Replaces = t.ID, t.secret, t.Flow.Abandoned
}

// GiveBack returns the code when its holder is told to try again. Should the
// cache be away as well, the code is still good unless the session was stored.
func (t *Redemption) GiveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), GiveBackTimeout)
	defer cancel()
	if err := t.codes.Cache.ReopenFlow(ctx, t.Key, t.mark()); err != nil {
		t.codes.Logger.WarnContext(ctx, "a code whose redemption failed could not be given back", "session", t.ID.String(), "error", err)
	}
}

// Replayed judges a redemption whose session somebody else was given. One of two
// that come at the same moment wins, and stays the winner: a client that sends its
// request twice is no thief. Whoever comes later ends what was issued (RFC 6749,
// section 4.1.2).
func (t *Redemption) Replayed(ctx context.Context) (revoked bool, err error) {
	row, err := t.codes.Store.Session(ctx, t.ID)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return false, nil // another node is at it
	case err != nil:
		return false, err
	case t.meets(row.SecretHash):
		return false, nil
	case row.Generation == 0 && row.Now.Sub(row.RotatedAt) < t.codes.Now().Sub(t.began):
		return false, nil // it began while this request was here already
	}
	if err := t.codes.Sessions.Revoke(ctx, t.ID); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return true, err
	}
	return true, nil
}

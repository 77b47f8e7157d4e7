package flows

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// giveBackTimeout bounds how long somebody who is told to try again waits for the
// code to be given back.
const giveBackTimeout = 3 * time.Second

// redemption is one attempt to make a session of a code, a device code or a
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
type redemption struct {
	id     uuid.UUID
	key    string // of the flow
	began  time.Time
	secret [handle.SecretSize]byte
	flow   cache.Flow
	// again: the code was taken before.
	again bool
	meets func(mark []byte) bool
}

// redeeming begins an attempt. The caller leaves once it has answered.
func (g *Gateway) redeeming(id uuid.UUID, key string, began time.Time) (t *redemption, leave func()) {
	t = &redemption{id: id, key: key, began: began}
	copy(t.secret[:], g.Keyring.Random(len(t.secret)))
	t.meets, leave = g.redemptions.enter(id, t.mark())
	return t, leave
}

// took takes the cache's answer to the redemption. An error says that there is
// nothing to make a session of.
func (t *redemption) took(flow cache.Flow, err error) error {
	t.flow, t.again = flow, errors.Is(err, cache.ErrUsed)
	if t.again && len(flow.Value) > 0 {
		return nil
	}
	return err
}

// spent reports whether an error of the attempt means that somebody has the session
// already. Of a code that was taken before, what else is wrong is not told.
func (t *redemption) spent(err error) bool {
	return errors.Is(err, tokenstore.ErrExists) || t.again && err != nil && !isPassing(err)
}

// mark is what names this attempt.
func (t *redemption) mark() []byte { return handle.Handle{Secret: t.secret}.SecretHash() }

// fill gives a session the id, the secret and the earlier attempts.
func (t *redemption) fill(s *session.Start) {
	s.ID, s.Secret, s.Replaces = t.id, t.secret, t.flow.Abandoned
}

// giveBack returns the code when its holder is told to try again. Should the
// cache be away as well, the code is still good unless the session was stored.
func (g *Gateway) giveBack(ctx context.Context, t *redemption) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := g.Cache.ReopenFlow(ctx, t.key, t.mark()); err != nil {
		g.Logger.WarnContext(ctx, "a code whose redemption failed could not be given back", "session", t.id.String(), "error", err)
	}
}

// replayed judges a redemption whose session somebody else was given. One of two
// that come at the same moment wins, and stays the winner: a client that sends its
// request twice is no thief. Whoever comes later ends what was issued (RFC 6749,
// section 4.1.2).
func (g *Gateway) replayed(ctx context.Context, t *redemption) (revoked bool, err error) {
	row, err := g.Store.Session(ctx, t.id)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return false, nil // another node is at it
	case err != nil:
		return false, err
	case t.meets(row.SecretHash):
		return false, nil
	case row.Generation == 0 && row.Now.Sub(row.RotatedAt) < g.Now().Sub(t.began):
		return false, nil // it began while this request was here already
	}
	return true, g.revoke(ctx, t.id)
}

// isPassing reports whether an error is none of the code's: the same request may
// succeed later.
func isPassing(err error) bool {
	var told *oauthError
	switch {
	case err == nil:
		return false
	case isAway(err), errors.Is(err, cache.ErrFull):
		return true
	}
	return !isVerdict(err) && !errors.As(err, &told) && !errors.Is(err, accesstoken.ErrProof) &&
		!errors.Is(err, tokenstore.ErrInvalid) && !errors.Is(err, cache.ErrInvalid)
}

// redemptions are those under way at this node.
type redemptions struct {
	mu   sync.Mutex
	here map[uuid.UUID]*meeting
}

// meeting is all who redeem one code, as long as there is somebody. Times in it are
// numbers of arrivals and departures.
type meeting struct {
	time    int
	present int
	all     []*attendance
}

// attendance is one attempt's. left is 0 while it is here.
type attendance struct {
	mark          []byte
	entered, left int
}

// enter begins the attempt of a mark. meets reports whether that of another mark has
// been here at the same time. That anybody else was does not say that it was the one
// that won: a thief can come as often as they like.
func (r *redemptions) enter(id uuid.UUID, mark []byte) (meets func(mark []byte) bool, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.here == nil {
		r.here = map[uuid.UUID]*meeting{}
	}
	m := r.here[id]
	if m == nil {
		m = &meeting{}
		r.here[id] = m
	}
	m.time++
	m.present++
	own := &attendance{mark: mark, entered: m.time}
	m.all = append(m.all, own)
	meets = func(mark []byte) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(m.all, func(a *attendance) bool {
			return a != own && (a.left == 0 || a.left > own.entered) && bytes.Equal(a.mark, mark)
		})
	}
	return meets, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		m.time++
		own.left = m.time
		if m.present--; m.present == 0 {
			delete(r.here, id)
			return
		}
		m.forget()
	}
}

// forget forgets those whom nobody who is here has met.
func (m *meeting) forget() {
	first := m.time
	for _, a := range m.all {
		if a.left == 0 {
			first = min(first, a.entered)
		}
	}
	m.all = slices.DeleteFunc(m.all, func(a *attendance) bool { return a.left != 0 && a.left < first })
}

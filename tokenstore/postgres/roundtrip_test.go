package postgres_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// statements counts what a tracer is told of.
type statements struct{ n atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.n.Add(1)
	return ctx
}
func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	s.n.Add(1)
	return ctx
}
func (*statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// TestRoundTrips holds the store to its round trips, on connections that have
// seen the statements before. Both are counted: the round trips on the wire
// and the statements and batches that a tracer sees.
func TestRoundTrips(t *testing.T) {
	wire, url := listen(t, postgrestest.URL(t))
	var traced statements
	store := migrated(t, postgres.Options{URL: url + "&pool_max_conns=1", Tracer: &traced})
	ctx := t.Context()

	portal := signIn(t, store)
	known := identity(t)
	sign := func(id tokenstore.Identity, parent uuid.UUID) error {
		n := newSession(t, newID(t))
		n.Parent = parent
		_, err := store.SignIn(ctx, tokenstore.SignIn{Identity: id, NewSubject: newID(t).String(), Session: n})
		return err
	}
	if err := sign(known, uuid.Nil); err != nil {
		t.Fatal(err)
	}
	create := func(parent uuid.UUID) (tokenstore.Session, error) {
		n := newSession(t, newID(t))
		n.Subject, n.Parent = portal.Subject, parent
		return store.CreateSession(ctx, n)
	}
	detached := func() error {
		n := newSession(t, newID(t))
		n.Subject, n.Parent, n.Detached = portal.Subject, portal.ID, true
		_, err := store.CreateSession(ctx, n)
		return err
	}
	rotate := func(s tokenstore.Session, generation uint32, grace time.Duration) error {
		r := rotation(s, generation)
		r.Grace = grace
		_, err := store.Rotate(ctx, r)
		return err
	}
	token := tokenstore.ProviderToken{
		Subject: "ann", Provider: "p", RefreshToken: []byte("sealed"), Scope: "openid",
		RefreshExpiresAt: time.Now().Add(time.Hour),
	}

	// Each prepares a session for the operation, which is what is counted.
	for _, tt := range []struct {
		name  string
		setUp func(s tokenstore.Session) error
		do    func(s tokenstore.Session) error
		trips int64
		err   error
	}{
		{name: "sign-in of a new identity", trips: 1, do: func(tokenstore.Session) error { return sign(identity(t), uuid.Nil) }},
		{name: "sign-in of a known identity", trips: 1, do: func(tokenstore.Session) error { return sign(known, uuid.Nil) }},
		{name: "sign-in without a session", trips: 1, do: func(tokenstore.Session) error {
			_, err := store.SignIn(ctx, tokenstore.SignIn{Identity: known, NewSubject: "unused"})
			return err
		}},
		{name: "session created", trips: 1, do: func(tokenstore.Session) error { _, err := create(uuid.Nil); return err }},
		{name: "session created under a parent", trips: 1, do: func(tokenstore.Session) error { _, err := create(portal.ID); return err }},
		{name: "session created apart from a parent", trips: 1, do: func(tokenstore.Session) error { return detached() }},
		{name: "session read", trips: 1, do: func(s tokenstore.Session) error { _, err := store.Session(ctx, s.ID); return err }},
		{name: "session that is not there", trips: 1, err: tokenstore.ErrNotFound, do: func(tokenstore.Session) error {
			_, err := store.Session(ctx, newID(t))
			return err
		}},
		{name: "sessions revalidated", trips: 1, do: func(s tokenstore.Session) error {
			_, _, err := store.Revalidate(ctx, []uuid.UUID{s.ID, portal.ID}, nil)
			return err
		}},
		{name: "sessions revalidated and touched", trips: 1, do: func(s tokenstore.Session) error {
			ids := []uuid.UUID{s.ID, portal.ID}
			_, _, err := store.Revalidate(ctx, ids, ids)
			return err
		}},
		{name: "sessions listed", trips: 1, do: func(s tokenstore.Session) error {
			_, err := store.ListSessions(ctx, tokenstore.SessionQuery{Subject: s.Subject})
			return err
		}},
		{name: "refresh", trips: 1, do: func(s tokenstore.Session) error { return rotate(s, 0, time.Minute) }},
		{
			name: "refresh repeated inside the grace", trips: 2,
			setUp: func(s tokenstore.Session) error { return rotate(s, 0, time.Minute) },
			do:    func(s tokenstore.Session) error { return rotate(s, 0, time.Minute) },
		},
		{
			name: "refresh with another's secret", trips: 2, err: tokenstore.ErrMismatch,
			do: func(s tokenstore.Session) error { s.SecretHash = []byte("other"); return rotate(s, 0, time.Minute) },
		},
		{name: "refresh of a generation ahead", trips: 3, do: func(s tokenstore.Session) error { return rotate(s, 5, time.Minute) }},
		{
			name: "refresh token reused", trips: 3, err: tokenstore.ErrReused,
			setUp: func(s tokenstore.Session) error { return rotate(s, 0, time.Minute) },
			do:    func(s tokenstore.Session) error { return rotate(s, 0, 0) },
		},
		{
			name: "rotation put back", trips: 1,
			setUp: func(s tokenstore.Session) error { return rotate(s, 0, time.Minute) },
			do:    func(s tokenstore.Session) error { return store.UnrotateSession(ctx, s.ID, 1, s.RotatedAt) },
		},
		{name: "session revoked", trips: 1, do: func(s tokenstore.Session) error { _, err := store.RevokeSession(ctx, s.ID); return err }},
		{name: "sessions revoked again", trips: 1, do: func(s tokenstore.Session) error {
			return store.RevokeAgain(ctx, []uuid.UUID{s.ID})
		}},
		{name: "subject revoked", trips: 1, do: func(tokenstore.Session) error { _, err := store.RevokeSubject(ctx, "nobody"); return err }},
		{name: "provider token stored", trips: 1, do: func(tokenstore.Session) error {
			_, err := store.StoreProviderToken(ctx, token, tokenstore.StoreOptions{})
			return err
		}},
		{name: "provider token read", trips: 1, do: func(tokenstore.Session) error {
			_, err := store.ProviderToken(ctx, "ann", "p")
			return err
		}},
		{name: "signing keys", trips: 1, do: func(tokenstore.Session) error { _, _, err := store.SigningKeys(ctx); return err }},
		{name: "revoked token ids", trips: 1, do: func(tokenstore.Session) error { _, err := store.RevokedTokenIDs(ctx); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, warm := range []bool{false, true} {
				session, err := create(uuid.Nil)
				if err == nil && tt.setUp != nil {
					err = tt.setUp(session)
				}
				if err != nil {
					t.Fatal(err)
				}
				trips, statements := wire.trips.Load(), traced.n.Load()
				if err := tt.do(session); !errors.Is(err, tt.err) {
					t.Fatalf("error is %v, want %v", err, tt.err)
				}
				trips, statements = wire.trips.Load()-trips, traced.n.Load()-statements
				if warm && (trips != tt.trips || statements != tt.trips) {
					t.Errorf("%d round trips and %d statements, want %d", trips, statements, tt.trips)
				}
			}
		})
	}
	if n := wire.conns.Load(); n > 4 {
		t.Errorf("%d connections for a pool of one and the migration", n)
	}
}

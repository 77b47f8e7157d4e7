package crash_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const inside = `respond "inside"`

func TestGatewaysKilledUnderLoad(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	config := caddyfile(t, inside, secretA)
	// Of three, one can be killed before it told the third what it did, and the
	// second be asked for it again.
	l := newLoad(t, startNodes(t, server.URL(t), redistest.URL(t), config, config, config))
	l.kill = func(i int) {
		node := l.nodes[i%len(l.nodes)]
		node.Kill(t)
		<-time.After(rand.N(300 * time.Millisecond)) // the others alone
		node.Restart(t)
	}
	l.run(kills(t))
}

func TestPostgresKilledUnderLoad(t *testing.T) {
	gateway.Soak(t)
	server := postgrestest.Start(t, postgrestest.Options{})
	config := caddyfile(t, inside, secretA)
	l := newLoad(t, startNodes(t, server.URL(t), redistest.URL(t), config, config))
	l.kill = func(int) {
		server.Kill(t)
		<-time.After(rand.N(300 * time.Millisecond)) // nobody answers
		server.Restart(t)
	}
	l.run(kills(t))
}

// TestBothKilledUnderLoad takes from a gateway what it had still to tell
// Postgres.
func TestBothKilledUnderLoad(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	config := caddyfile(t, inside, secretA)
	l := newLoad(t, startNodes(t, server.URL(t), redistest.URL(t), config, config))
	l.kill = func(i int) {
		node := l.nodes[i%len(l.nodes)]
		server.Kill(t)
		<-time.After(rand.N(300 * time.Millisecond)) // revocations are owed
		node.Kill(t)
		<-time.After(rand.N(300 * time.Millisecond)) // the other one without its store
		server.Restart(t)
		node.Restart(t)
	}
	l.run(kills(t))
}

// TestRedisKilledUnderLoad has a Redis that syncs each write, as one is to be
// run. What cannot be announced the other nodes learn when they ask the store.
func TestRedisKilledUnderLoad(t *testing.T) {
	gateway.Soak(t)
	const interval = 2 * time.Second
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	config := caddyfile(t, inside, secretA, fmt.Sprintf("session {\nrevalidate %v\n}", interval))
	l := newLoad(t, startNodes(t, postgrestest.URL(t), server.URL(), config, config))
	l.Grace = interval + time.Second
	l.kill = func(int) {
		server.Kill(t)
		<-time.After(rand.N(300 * time.Millisecond)) // nobody answers
		server.Restart(t)
	}
	l.run(kills(t))
}

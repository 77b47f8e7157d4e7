package bench_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

const (
	seedSecret  = "the secret of this benchmark, long enough"
	robotSecret = "a-secret-of-a-program-long-enough"
)

// sessions are the Cookie lines of as many sessions as are to be live: alice signs in,
// and all others are handed over from her sign-in, as browsers do it that come to the
// site once more, but in the store itself.
func (g *guardBench) sessions(b *testing.B) []string {
	b.Helper()
	first := firstSession(b, g.node)
	lines := []string{first}
	if *sessionsFlag <= 1 {
		return lines
	}
	store, err := sqlite.Open(g.store, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	keys, err := keyring.New(nil, []byte(seedSecret))
	if err != nil {
		b.Fatal(err)
	}
	manager, err := session.New(session.Config{Store: store, Cache: memory.New(memory.Options{}), Keyring: keys})
	if err != nil {
		b.Fatal(err)
	}
	name, handle, _ := strings.Cut(first, "=")
	id, err := manager.Authenticate(b.Context(), "guarded.localhost", handle)
	if err != nil {
		b.Fatalf("the first session: %v", err)
	}
	row, err := store.Session(b.Context(), id.SessionID)
	if err != nil {
		b.Fatal(err)
	}
	from := session.Start{Parent: id.Portal, Subject: row.Subject, ClientID: row.ClientID, Claims: id.Claims, UserAgent: row.UserAgent}
	for _, another := range handOver(b, manager, from, *sessionsFlag-1) {
		lines = append(lines, name+"="+another)
	}
	return lines
}

// handOver starts n sessions, many at once, and returns their handles.
func handOver(b *testing.B, manager *session.Manager, from session.Start, n int) []string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	handles := make([]string, n)
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var done sync.WaitGroup
	for range 32 {
		done.Go(func() {
			for i := next.Add(1) - 1; int(i) < n && failure.Load() == nil; i = next.Add(1) - 1 {
				started, err := manager.Handover(ctx, from)
				if err != nil {
					failure.Store(&err)
					return
				}
				handles[i] = started.Handle
			}
		})
	}
	done.Wait()
	if err := failure.Load(); err != nil {
		b.Fatalf("starting sessions: %v", *err)
	}
	return handles
}

// token is an access token of a program for the guarded site.
func (g *guardBench) token(b *testing.B) string {
	b.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {guarded}}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+g.node.Route("x:80")+"/.gatehouse/token", strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Host = "guarded.localhost"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("robot", robotSecret)
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		b.Fatalf("asking for a token: %s %v", resp.Status, err)
	}
	return answer.AccessToken
}

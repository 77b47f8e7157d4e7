package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// listener is a client's receiver of logout tokens.
type listener struct {
	t    *testing.T
	told chan string // the sessions, as they are told
	journal
	wanted int
}

// listening has the client web told of sign-outs, and the gateway tell it.
func listening(t *testing.T, o worldOptions) (*world, *listener) {
	t.Helper()
	l := &listener{t: t, told: make(chan string, 64)}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, claims := claimsOf(t, r.PostFormValue("logout_token"))
		sid, _ := claims["sid"].(string)
		l.told <- sid
	}))
	t.Cleanup(receiver.Close)
	o.clients[0].BackchannelLogoutURI = receiver.URL
	wrap := o.wrap
	o.wrap = func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		if wrap != nil {
			s, c = wrap(s, c)
		}
		l.Store = s
		return &l.journal, c
	}
	w := newWorld(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.gateway.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w, l
}

// want waits until exactly these sessions have been told, in any order.
func (l *listener) want(sessions ...string) {
	l.t.Helper()
	var got []string
	for range sessions {
		select {
		case sid := <-l.told:
			got = append(got, sid)
		case <-time.After(30 * time.Second):
			l.t.Fatalf("told of %q, want %q", got, sessions)
		}
	}
	slices.Sort(got)
	slices.Sort(sessions)
	if !slices.Equal(got, sessions) {
		l.t.Errorf("told of %q, want %q", got, sessions)
	}
	l.wanted += len(sessions)
	if queued := l.queued(); queued != l.wanted {
		l.t.Errorf("%d were to be told, want %d", queued, l.wanted)
	}
}

// queued is how many logout tokens were to be sent so far.
func (l *listener) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, what := range l.wrote {
		if what == string(tokenstore.OutboxBackchannelLogout) {
			n++
		}
	}
	return n
}

func sidOf(t *testing.T, got said) string {
	t.Helper()
	_, claims := claimsOf(t, got.answer.text("id_token"))
	sid, _ := claims["sid"].(string)
	return sid
}

// TestOfflineLogout_ToldWithItsSession: better-auth#9304. A client with offline
// access is told that the person has left, with the session of its ID token, by
// whatever way the sign-in ends; its refresh token stays good (OpenID Connect
// Back-Channel Logout, section 2.7).
func TestOfflineLogout_ToldWithItsSession(t *testing.T) {
	for way, end := range map[string]func(t *testing.T, w *world, b *browser){
		"at the portal": func(_ *testing.T, w *world, b *browser) {
			b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
		},
		"at a site": func(_ *testing.T, w *world, b *browser) {
			b.get(w.siteURL("one")+"/.gatehouse/logout").submit(nil).want(http.StatusOK, "You are signed out")
		},
		"by another client": func(_ *testing.T, w *world, b *browser) {
			b.get(w.portalURL()+"/logout?id_token_hint="+w.otherIDToken(b)).want(http.StatusOK, "You are signed out")
		},
		"by the operator": func(t *testing.T, w *world, _ *browser) {
			if err := w.gateway.EndSession(t.Context(), w.portalSession().ID); err != nil {
				t.Fatal(err)
			}
		},
		"somebody else signs in": func(_ *testing.T, w *world, b *browser) { w.signInAgain(b, "login", "bob", "builder") },
		"after a second sign-in": func(_ *testing.T, w *world, b *browser) {
			w.signInAgain(b, "login", "alice", "wonderland")
			b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
		},
	} {
		t.Run(way, func(t *testing.T) {
			w, l := listening(t, worldOptions{portal: true, clients: logoutClients()})
			web := app{t, w, "web", "web-secret-of-enough-length"}
			b := w.signedInBrowserAt("one")
			offline, again, bound := w.tokens(b, nil), w.tokens(b, nil), w.tokens(b, set("scope", "openid"))
			end(t, w, b)
			l.want(sidOf(t, offline), sidOf(t, again), sidOf(t, bound))
			for _, got := range []said{offline, again} {
				if after := web.post("token", refreshForm(got.answer)); after.status != http.StatusOK {
					t.Errorf("the refresh token is bad: %d %v", after.status, after.body)
				}
			}
			// The next sign-out is none of those sessions'.
			next := w.signedInBrowserAt("two")
			later := w.tokens(next, nil)
			next.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
			l.want(sidOf(t, later))
		})
	}
}

func (w *world) signedInBrowserAs(user, password string) *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(w.siteURL("one")+"/").signIn(user, password).want(http.StatusOK, "hello "+user)
	return b.held()
}

func (w *world) signedInBrowserAt(site string) *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(w.siteURL(site)+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	return b.held()
}

// All of a person's sessions end, those of offline access too, and each is told once.
func TestOfflineLogout_AllOfAPerson(t *testing.T) {
	w, l := listening(t, worldOptions{portal: true, clients: logoutClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	got := w.tokens(w.signedInBrowser(), nil)
	if err := w.gateway.EndSubject(t.Context(), w.portalSession().Subject); err != nil {
		t.Fatal(err)
	}
	l.want(sidOf(t, got))
	if after := web.post("token", refreshForm(got.answer)); after.text("error") != "invalid_grant" {
		t.Errorf("%d %v", after.status, after.body)
	}
}

// A provider's sign-out is passed on: the client of ours is told, and keeps its
// offline access.
func TestOfflineLogout_AtTheProvider(t *testing.T) {
	clients := logoutClients()
	op, rp := twoWorldsWith(t, worldOptions{portal: true, clients: clients})
	told := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, claims := claimsOf(t, r.PostFormValue("logout_token"))
		sid, _ := claims["sid"].(string)
		told <- sid
	}))
	t.Cleanup(receiver.Close)
	clients[0].BackchannelLogoutURI = receiver.URL
	op.gateway.Clients["gateway"].BackchannelLogoutURI = rp.portalURL() + "/backchannel_logout/outside"
	op.gateway.HTTPClient.Transport = newBrowser(t).Transport
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for _, w := range []*world{op, rp} {
		go func() { w.gateway.Run(ctx); done <- struct{}{} }()
	}
	defer func() { cancel(); <-done; <-done }()

	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	got := rp.tokens(b.held(), nil)
	if err := op.gateway.EndSession(t.Context(), op.portalSession().ID); err != nil {
		t.Fatal(err)
	}
	select {
	case sid := <-told:
		if sid != sidOf(t, got) {
			t.Errorf("told of %q, want %q", sid, sidOf(t, got))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the client was not told")
	}
	if after := (app{t, rp, "web", "web-secret-of-enough-length"}).post("token", refreshForm(got.answer)); after.status != http.StatusOK {
		t.Errorf("the refresh token is bad: %d %v", after.status, after.body)
	}
}

// The client itself signs the person out: with a hint of offline access that ends, and
// others stay (OpenID Connect RP-Initiated Logout, section 2).
func TestOfflineLogout_ByTheClientItself(t *testing.T) {
	w, l := listening(t, worldOptions{portal: true, clients: logoutClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowserAt("one")
	named, other := w.tokens(b, nil), w.tokens(b, nil)
	hint := url.Values{"id_token_hint": {named.answer.text("id_token")}, "post_logout_redirect_uri": {"https://web.test/bye"}}
	w.clock.advance(2 * time.Hour) // it has expired
	b.get(w.portalURL() + "/logout?" + hint.Encode())
	if to := b.last.Header.Get("Location"); to != "https://web.test/bye" {
		t.Errorf("%d to %q", b.last.StatusCode, to)
	}
	l.want(sidOf(t, named), sidOf(t, other))
	if after := web.post("token", refreshForm(named.answer)); after.text("error") != "invalid_grant" {
		t.Errorf("what the hint named: %d %v", after.status, after.body)
	}
	if after := web.post("token", refreshForm(other.answer)); after.status != http.StatusOK {
		t.Errorf("what it did not name: %d %v", after.status, after.body)
	}
	if b.get(w.siteURL("one") + "/"); b.last.StatusCode != http.StatusSeeOther {
		t.Errorf("the site still answers %d", b.last.StatusCode)
	}
}

// A hint of another session asks first; then it ends what this browser holds, and what
// the hint names if that is the person's own.
func TestOfflineLogout_AHintOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		user, password string
		change         func(url.Values)
		ends           bool // what is named
	}{
		"another browser's of the same person": {"alice", "wonderland", set("scope", "openid"), true},
		"offline access of an earlier sign-in": {"alice", "wonderland", nil, true},
		"another person's":                     {"bob", "builder", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{portal: true, clients: refreshClients(client.RefreshOffline)})
			theirs := w.tokens(w.signedInBrowserAs(c.user, c.password), c.change)
			b := w.signedInBrowserAt("one")
			access := theirs.answer.text("access_token")
			live := func() bool {
				return w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+access).status == http.StatusOK
			}
			b.get(w.portalURL()+"/logout?id_token_hint="+theirs.answer.text("id_token")).want(http.StatusOK, "alice")
			if !live() {
				t.Fatal("ended before anybody was asked")
			}
			b.submit(nil).want(http.StatusOK, "You are signed out")
			if b.get(w.siteURL("one") + "/"); b.last.StatusCode != http.StatusSeeOther {
				t.Error("still signed in here")
			}
			if live() == c.ends {
				t.Errorf("what the hint names is live: %v", live())
			}
		})
	}
}

// A request that no person makes signs nobody out, hint or no hint.
func TestOfflineLogout_NobodyClicked(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	b := w.signedInBrowser()
	address := w.portalURL() + "/logout?id_token_hint=" + w.tokens(b, nil).answer.text("id_token")
	for _, c := range []struct{ method, header, value string }{
		{http.MethodHead, "Accept", "*/*"},
		{http.MethodGet, "Sec-Purpose", "prefetch"},
		{http.MethodGet, "Sec-Purpose", "prefetch;prerender"},
		{http.MethodGet, "Purpose", "prefetch"},
		{http.MethodGet, "Sec-Purpose", "prerender"},
		{http.MethodGet, "Purpose", "preview"}, // WebKit
		{http.MethodGet, "X-Purpose", "preview"},
		{http.MethodGet, "X-Moz", "prefetch"}, // Firefox before 115
	} {
		req, _ := http.NewRequestWithContext(t.Context(), c.method, address, nil)
		req.Header.Set(c.header, c.value)
		b.do(req)
		if b.get(w.siteURL("one") + "/"); !strings.Contains(b.body, "hello alice") {
			t.Errorf("%s with %s %s signs out", c.method, c.header, c.value)
		}
	}
}

// Offline access of before an upgrade is not known to be of a sign-in, and nobody is
// told of it; nor does it keep a sign-out from being done.
func TestOfflineLogout_OfBeforeTheUpgrade(t *testing.T) {
	w, l := listening(t, worldOptions{portal: true, clients: logoutClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return unknowing{s}, c
	}})
	b := w.signedInBrowser()
	w.tokens(b, nil)
	bound := w.tokens(b, set("scope", "openid"))
	b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
	l.want(sidOf(t, bound))
}

// unknowing keeps nothing of a detached session that only we read.
type unknowing struct{ tokenstore.Store }

func (s unknowing) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	rows, err := s.Store.ListSessions(ctx, q)
	for i := range rows {
		if strings.Contains(rows[i].Scope, "offline_access") {
			rows[i].Claims = nil
		}
	}
	return rows, err
}

// A sign-out that the token store cannot take is stored when it answers again, and the
// clients are told then, though nobody asks once more.
func TestOfflineLogout_ToldWhenTheStoreAnswersAgain(t *testing.T) {
	down := new(atomic.Bool)
	w, l := listening(t, worldOptions{portal: true, clients: logoutClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return brokenStore{downStore{s, down}}, c
	}})
	b := w.signedInBrowser()
	offline, bound := w.tokens(b, nil), w.tokens(b, set("scope", "openid"))
	b.get(w.portalURL()+"/logout").want(http.StatusOK, "alice")
	down.Store(true)
	b.submit(nil).want(http.StatusServiceUnavailable, "")
	down.Store(false)
	l.want(sidOf(t, offline), sidOf(t, bound))
	if after := (app{t, w, "web", "web-secret-of-enough-length"}).post("token", refreshForm(offline.answer)); after.status != http.StatusOK {
		t.Errorf("the refresh token is bad: %d %v", after.status, after.body)
	}
}

// recovering is down for so many questions about a session.
type recovering struct {
	brokenStore
	left *atomic.Int32
}

func (s recovering) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	if s.down.Load() && s.left.Add(-1) < 0 {
		s.down.Store(false)
	}
	return s.brokenStore.Session(ctx, id)
}

// The store may answer again at any moment, such as just when it was asked in vain who is
// to be told, and takes the sign-out: clients are told all the same.
func TestOfflineLogout_ToldWheneverTheStoreAnswersAgain(t *testing.T) {
	for questions := range int32(6) {
		down, left := new(atomic.Bool), new(atomic.Int32)
		w, l := listening(t, worldOptions{portal: true, clients: logoutClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
			return recovering{brokenStore{downStore{s, down}}, left}, c
		}})
		b := w.signedInBrowser()
		offline, bound := w.tokens(b, nil), w.tokens(b, set("scope", "openid"))
		b.get(w.portalURL()+"/logout").want(http.StatusOK, "alice")
		left.Store(questions)
		down.Store(true)
		b.submit(nil)
		l.want(sidOf(t, offline), sidOf(t, bound))
	}
}

// A fault of a moment, while a sign-out is stored, loses nothing of what clients are to
// be told.
func TestOfflineLogout_ToldAfterAFaultOfAMoment(t *testing.T) {
	faults := new(atomic.Int32)
	w, l := listening(t, worldOptions{portal: true, clients: logoutClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return faultyOutbox{s, faults}, c
	}})
	b := w.signedInBrowser()
	offline, bound := w.tokens(b, nil), w.tokens(b, set("scope", "openid"))
	b.get(w.portalURL()+"/logout").want(http.StatusOK, "alice")
	faults.Store(1)
	l.wanted = 1 // the one that is refused
	b.submit(nil).want(http.StatusOK, "You are signed out")
	l.want(sidOf(t, offline), sidOf(t, bound))
}

// faultyOutbox cannot take an entry as often as is wanted.
type faultyOutbox struct {
	tokenstore.Store
	faults *atomic.Int32
}

func (s faultyOutbox) Enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	if s.faults.Add(-1) >= 0 {
		return tokenstore.ErrUnavailable
	}
	return s.Store.Enqueue(ctx, e)
}

package session

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// knows judges as a configuration in which the user has this fingerprint; "" is one
// that does not know the user.
func knows(fingerprint string) func(identity.Claims) (identity.Claims, error) {
	return func(c identity.Claims) (identity.Claims, error) {
		if fingerprint == "" || c.Credential != "" && c.Credential != fingerprint {
			return identity.Claims{}, provider.ErrGone
		}
		c.Credential = fingerprint
		return c, nil
	}
}

func with(fingerprint string) func(*Config) {
	return func(c *Config) { c.Current = knows(fingerprint) }
}

func (w *world) credentialOf(s Started) string {
	w.t.Helper()
	row, err := w.store.Session(w.t.Context(), s.Session.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := row.Err(); err != nil {
		w.t.Errorf("the row says %v", err)
	}
	claims, err := w.node().openClaims(row)
	if err != nil {
		w.t.Fatal(err)
	}
	return claims.Credential
}

// While a new configuration reaches one node after the other, each refuses what its
// own does not know, and none ends it for the others.
func TestCredential_EachNodeRefusesForItself(t *testing.T) {
	w := newWorld(t)
	newer := w.node(with("new"))
	newer.run()
	s := newer.signIn()
	for name, older := range map[string]string{"an older password": "old", "no such user": ""} {
		n := w.node(with(older))
		n.run()
		n.is(s, ErrNoSession, name)
		w.clock.advance(2 * time.Minute)
		n.is(s, ErrNoSession, name+", revalidated")
		if got := w.credentialOf(s); got != "new" {
			t.Errorf("%s: the row has the fingerprint %q", name, got)
		}
		newer.is(s, nil, "at the node with the newer configuration, beside one with "+name)
		n.Configure(Settings{Current: knows("new")})
		w.clock.advance(2 * time.Second)
		n.is(s, nil, name+", after its reload")
	}
}

// A reload with another password ends what the former one began, at once where it
// is known and at its first sight elsewhere: streams, children, refresh tokens.
func TestCredential_AnotherEndsSessions(t *testing.T) {
	w := newWorld(t)
	n := w.node(with("one"))
	s := n.signIn()
	child := n.signIn(func(c *Start) {
		c.Parent, c.Subject, c.ClientID, c.Claims = s.Session.ID, s.Session.Subject, "client", s.Identity.Claims
	})
	n.Configure(Settings{Current: knows("one")})
	n.is(s, nil, "after a reload with the same password")
	ended := make(chan struct{}, 1)
	defer n.Watch(s.Session.ID, false, func() { ended <- struct{}{} })()
	n.Configure(Settings{Current: knows("two")})
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("a stream goes on with the former password")
	}
	n.is(s, ErrNoSession, "with another password")
	w.node(with("two")).is(s, ErrNoSession, "at another node")
	if _, err := n.Live(t.Context(), child.Session.ID); err == nil {
		t.Error("a session that came from it lives on")
	}
	if _, err := n.Claims(child.Session); err == nil {
		t.Error("its refresh token would be taken")
	}
	w.clock.advance(2 * time.Second)
	n.is(n.signIn(), nil, "signed in with the new password")
	n.is(s, ErrNoSession, "nevertheless")
}

// Sessions of before there were fingerprints live on through the upgrade, and end
// with the next change of the password, whether or not they were used since.
func TestCredential_IsAdopted(t *testing.T) {
	w := newWorld(t)
	old := w.node() // writes none
	used, refreshed, unused := old.signIn(), old.signIn(), old.signIn()
	other := old.signIn(func(s *Start) { s.Claims.ID = "somebody else" })
	n := w.node(with("one"))
	n.run()
	n.is(used, nil, "after the upgrade")
	if _, err := n.Claims(refreshed.Session); err != nil {
		t.Errorf("refreshing after the upgrade: %v", err)
	}
	for name, s := range map[string]Started{"used": used, "refreshed": refreshed} {
		eventually(t, "the row of what was "+name+" has a fingerprint", func() bool { return w.credentialOf(s) == "one" })
	}
	if got := w.credentialOf(unused); got != "" {
		t.Errorf("an unused session has the fingerprint %q already", got)
	}
	ids := []string{"nobody", alice().ID}
	for _, want := range []int{1, 0} {
		if adopted, err := n.AdoptCredentials(t.Context(), alice().Issuer, ids); err != nil || adopted != want {
			t.Fatalf("%d sessions adopted a fingerprint (%v), want %d", adopted, err, want)
		}
	}
	if got := w.credentialOf(unused); got != "one" {
		t.Errorf("an unused session has the fingerprint %q", got)
	}
	if got := w.credentialOf(other); got != "" {
		t.Errorf("somebody else's has the fingerprint %q", got)
	}
	n.Configure(Settings{Current: knows("two")})
	for _, s := range []Started{used, refreshed, unused} {
		n.is(s, ErrNoSession, "with another password")
	}
	old.is(used, nil, "at an old node, which knows no fingerprints")
}

// The fingerprint counts at this node from its first sight on, though the store
// cannot be told of it.
func TestCredential_IsAdoptedWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	s := w.node().signIn()
	n := w.node(with("one"))
	n.is(s, nil, "after the upgrade")
	n.store.cut.Store(true)
	n.pay(t.Context())
	n.Configure(Settings{Current: knows("two")})
	n.is(s, ErrNoSession, "with another password, store down")
	n.store.cut.Store(false)
	n.pay(t.Context())
	if got := w.credentialOf(s); got != "one" {
		t.Errorf("the row has the fingerprint %q", got)
	}
	w.clock.advance(2 * time.Second)
	n.is(s, ErrNoSession, "with another password, store up")
}

// A session that begins of a sign-in which an old node began has one from the start.
func TestCredential_IsFilledInAtTheStart(t *testing.T) {
	w := newWorld(t)
	if got := w.credentialOf(w.node(with("one")).signIn()); got != "one" {
		t.Errorf("the row has the fingerprint %q", got)
	}
}

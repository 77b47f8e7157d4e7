package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

// Whatever a client sends as a handle is refused without asking a store, unless
// it is one that was handed out.
func FuzzAuthenticate(f *testing.F) {
	n := newWorld(f).node()
	s := n.signIn()
	asked := n.store.total()
	f.Add(s.Handle)
	f.Add(s.Handle[:75] + flip(s.Handle[75:]))
	f.Add("gts_" + strings.Repeat("A", 72))
	f.Add("")
	f.Fuzz(func(t *testing.T, h string) {
		if _, err := handle.ParseSession(n.keys, h); err == nil && h != s.Handle {
			t.Skip("handed out by another process of the fuzzer")
		}
		who, err := n.Authenticate(t.Context(), host, h)
		switch {
		case h == s.Handle && (err != nil || who.SessionID != s.Session.ID):
			t.Errorf("its own handle: %v", err)
		case h != s.Handle && !errors.Is(err, ErrNoSession):
			t.Errorf("%q is answered with %v", h, err)
		}
		if n.store.total() != asked {
			t.Errorf("%q asks a store", h)
		}
	})
}

package local_test

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// suffixed is a hash for tests, whose work can be counted and held up: the
// password follows the last "$".
type suffixed struct {
	mu      sync.Mutex
	calls   []string // hash of each call
	lengths []int    // of each password
	hold    chan struct{}
	begun   chan struct{}
}

func (s *suffixed) Compare(hash, plaintext []byte) (bool, error) {
	s.mu.Lock()
	s.calls = append(s.calls, string(hash))
	s.lengths = append(s.lengths, len(plaintext))
	s.mu.Unlock()
	if s.hold != nil {
		s.begun <- struct{}{}
		<-s.hold
	}
	want := hash[bytes.LastIndexByte(hash, '$')+1:]
	if string(want) == "broken" {
		return false, errors.New("broken hash " + string(hash))
	}
	return subtle.ConstantTimeCompare(want, plaintext) == 1, nil
}

func newProvider(t *testing.T, s *suffixed, edit func(*local.Config)) *local.Provider {
	t.Helper()
	c := local.Config{Name: "local", Now: func() time.Time { return noon }, Users: []local.User{
		{Name: "alice", PasswordHash: "$plain$secret", Comparer: s, Email: "alice@example.com", Groups: []string{"staff"}, Title: "Alice A."},
		{Name: "bob", PasswordHash: "$2a$" + strings.Repeat("b", 72), Comparer: s},
		{Name: "carol", PasswordHash: "$plain$broken", Comparer: s},
		{Name: "dora", PasswordHash: "$plain$" + strings.Repeat("d", 1024), Comparer: s},
		{Name: "empty", PasswordHash: "$plain$", Comparer: s},
	}}
	if edit != nil {
		edit(&c)
	}
	p, err := local.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"right", "alice", "secret", true},
		{"wrong", "alice", "Secret", false},
		{"unknown", "mallory", "secret", false},
		{"name in another case", "Alice", "secret", false},
		{"name with a space", "alice ", "secret", false},
		{"another user's password", "bob", "secret", false},
		{"72 bytes for bcrypt", "bob", strings.Repeat("b", 72), true},
		{"73 bytes for bcrypt", "bob", strings.Repeat("b", 73), false},
		{"1,024 bytes", "dora", strings.Repeat("d", 1024), true},
		{"1,025 bytes", "dora", strings.Repeat("d", 1025), false},
		{"1 MiB", "alice", strings.Repeat("x", 1<<20), false},
		{"no password", "alice", "", false},
		{"no password where the hash is of none", "empty", "", false},
		{"unreadable hash", "carol", "broken", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &suffixed{}
			c, err := newProvider(t, s, nil).Authenticate(t.Context(), tt.user, tt.password)
			if len(s.calls) != 1 {
				t.Errorf("%d hashes were computed, want exactly 1", len(s.calls))
			}
			if s.lengths[0] > 1024 {
				t.Errorf("a password of %d bytes was hashed", s.lengths[0])
			}
			if tt.ok {
				if err != nil || c.ID != tt.user || c.User != tt.user || c.Issuer != "local" {
					t.Errorf("Authenticate() = %+v, %v", c, err)
				}
				return
			}
			if !errors.Is(err, provider.ErrCredentials) || err.Error() != provider.ErrCredentials.Error() {
				t.Errorf("Authenticate() = %v, want ErrCredentials alone", err)
			}
			if !cmp.Equal(c, identity.Claims{}) {
				t.Errorf("a refused sign-in has claims: %+v", c)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	got, err := newProvider(t, &suffixed{}, nil).Authenticate(t.Context(), "alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Claims{
		Provider: "local", Issuer: "local", ID: "alice", User: "alice", Email: "alice@example.com", EmailVerified: true,
		Name: "Alice A.", Groups: []string{"staff"}, AuthTime: noon, AMR: []string{"pwd"}, Credential: got.Credential,
	}
	if got.Credential == "" {
		t.Error("there is no fingerprint of the password hash")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestImpossibleNamesCostNothing(t *testing.T) {
	t.Parallel()
	s := &suffixed{}
	p := newProvider(t, s, nil)
	for _, name := range []string{"", "a\x00", "alice\n", "a\u0085b", strings.Repeat("a", 256), "a\xff"} {
		if _, err := p.Authenticate(t.Context(), name, "secret"); !errors.Is(err, provider.ErrCredentials) {
			t.Errorf("Authenticate(%q) = %v", name, err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("%d hashes were computed", len(s.calls))
	}
}

func TestUnknownNameHasAStableDecoy(t *testing.T) {
	t.Parallel()
	s := &suffixed{}
	seen := map[string]bool{}
	for i := range 40 {
		name := fmt.Sprintf("nobody%d", i)
		for range 2 { // two nodes with the same configuration
			if _, err := newProvider(t, s, nil).Authenticate(t.Context(), name, "secret"); !errors.Is(err, provider.ErrCredentials) {
				t.Fatal(err)
			}
		}
		last := s.calls[len(s.calls)-2:]
		if last[0] != last[1] {
			t.Errorf("%s was compared with different hashes", name)
		}
		seen[last[0]] = true
	}
	if len(seen) < 2 {
		t.Error("all unknown names have the same decoy, so that a user whose hash is of another kind stands out")
	}
}

func TestQueueGivesUpAfterMaxWait(t *testing.T) {
	t.Parallel()
	s := &suffixed{hold: make(chan struct{}), begun: make(chan struct{}, 8)}
	p := newProvider(t, s, func(c *local.Config) { c.Queue = local.NewQueue(1, 5, time.Millisecond) })
	done := make(chan error, 1)
	go func() {
		_, err := p.Authenticate(t.Context(), "alice", "secret")
		done <- err
	}()
	<-s.begun
	if _, err := p.Authenticate(t.Context(), "alice", "secret"); !errors.Is(err, provider.ErrBusy) {
		t.Errorf("Authenticate() = %v, want ErrBusy", err)
	}
	close(s.hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	s := &suffixed{}
	then, err := newProvider(t, s, nil).Authenticate(t.Context(), "alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	today := newProvider(t, s, func(c *local.Config) {
		c.Users[0].Groups, c.Users[0].Email = []string{"retired"}, ""
		c.Now = func() time.Time { return noon.Add(time.Hour) }
	})
	got, err := today.Current(then)
	if err != nil {
		t.Fatal(err)
	}
	want := then
	want.Groups, want.Email, want.EmailVerified = []string{"retired"}, "", false
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, c := range []identity.Claims{
		{Issuer: "local", ID: "mallory"},
		{Issuer: "https://evil.example", ID: "alice"},
		{},
	} {
		if _, err := today.Current(c); !errors.Is(err, provider.ErrGone) {
			t.Errorf("Current(%+v) = %v, want ErrGone", c, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	s := &suffixed{}
	for name, users := range map[string][]local.User{
		"plain password":    {{Name: "a", PasswordHash: "secret", Comparer: s}},
		"no comparer":       {{Name: "a", PasswordHash: "$x$y"}},
		"no name":           {{PasswordHash: "$x$y", Comparer: s}},
		"control character": {{Name: "a\tb", PasswordHash: "$x$y", Comparer: s}},
		"twice":             {{Name: "a", PasswordHash: "$x$y", Comparer: s}, {Name: "a", PasswordHash: "$x$z", Comparer: s}},
		"bad e-mail":        {{Name: "a", PasswordHash: "$x$y", Comparer: s, Email: "a@b@c"}},
		"bad group":         {{Name: "a", PasswordHash: "$x$y", Comparer: s, Groups: []string{"a\nb"}}},
	} {
		_, err := local.New(local.Config{Name: "local", Now: time.Now, Users: users})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

func TestHashIsNeverLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProvider(t, &suffixed{}, func(c *local.Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	if _, err := p.Authenticate(t.Context(), "carol", "hunter2"); err == nil {
		t.Fatal("signed in")
	}
	u := local.User{Name: "alice", PasswordHash: "$plain$broken"}
	text := out.String() + fmt.Sprintf("%v %+v %#v %s", u, u, u, u)
	if strings.Contains(text, "broken") || strings.Contains(text, "hunter2") {
		t.Errorf("a secret is in: %s", text)
	}
	if !strings.Contains(out.String(), "carol") {
		t.Errorf("the log does not name the user: %s", out.String())
	}
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("alice", "secret")
	f.Add("alice\x00", "")
	f.Fuzz(func(t *testing.T, user, password string) {
		s := &suffixed{}
		c, err := newProvider(t, s, nil).Authenticate(t.Context(), user, password)
		if err == nil && (c.User != user || password == "") {
			t.Fatalf("%q signed in as %q", user, c.User)
		}
		if len(s.calls) > 1 {
			t.Fatal("more than one hash was computed")
		}
	})
}

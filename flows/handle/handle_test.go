package handle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

var (
	oldSecret = []byte("the secret of last year, quite long")
	newSecret = []byte("the secret of this year, quite long")
	sample    = Handle{
		ID:         uuid.MustParse("0197a5b0-1234-7abc-8def-0123456789ab"),
		Secret:     [16]byte([]byte("sixteen secrets!")),
		Generation: 7,
	}
)

const issuer = "https://app.example.com/.gatehouse"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func ring(t testing.TB, secrets ...[]byte) *keyring.Keyring {
	t.Helper()
	k, err := keyring.New(nil, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	k := ring(t, newSecret, oldSecret)
	session := sample
	session.Generation = 0
	if got, err := ParseSession(k, MintSession(k, session)); err != nil || got != session {
		t.Errorf("session handle: %v, %v", got, err)
	}
	if got, err := ParseRefresh(k, issuer, MintRefresh(k, issuer, sample)); err != nil || got != sample {
		t.Errorf("refresh token: %v, %v", got, err)
	}
	if _, err := ParseRefresh(k, "https://other.example.com/.gatehouse", MintRefresh(k, issuer, sample)); !errors.Is(err, ErrInvalid) {
		t.Errorf("refresh token at another issuer: %v", err)
	}
	was := ring(t, oldSecret)
	if got, err := ParseSession(k, MintSession(was, session)); err != nil || got != session {
		t.Errorf("session handle of the former secret: %v, %v", got, err)
	}
	if _, err := ParseSession(was, MintSession(k, session)); !errors.Is(err, ErrInvalid) {
		t.Errorf("session handle of an unknown secret: %v", err)
	}
}

// What was handed out once is good after an upgrade.
func TestSpellingStays(t *testing.T) {
	k := ring(t, newSecret)
	session := sample
	session.Generation = 0
	const handle = "gts_37q9C7V5AZelsBI0eryN7wEjRWeJq3NpeHRlZW4gc2VjcmV0cyElPXzdc9Y3fR7rOD9QcDBg"
	if got, err := ParseSession(k, handle); err != nil || got != session {
		t.Errorf("session handle: %v, %v", got, err)
	}
	const refresh = "gtr_37q9C7V5AZelsBI0eryN7wEjRWeJqwAAAAdzaXh0ZWVuIHNlY3JldHMhYWAy_gFWT2SK9s019-tzEA"
	if got, err := ParseRefresh(k, "", refresh); err != nil || got != sample {
		t.Errorf("refresh token: %v, %v", got, err)
	}
}

func TestForm(t *testing.T) {
	k := ring(t, newSecret)
	for name, s := range map[string]string{
		`gts_[A-Za-z0-9_-]{72}`: MintSession(k, sample),
		`gtr_[A-Za-z0-9_-]{78}`: MintRefresh(k, issuer, sample),
		`[A-Za-z0-9_-]{64}`:     MintCode(sample.ID, make([]byte, 32)),
	} {
		if !regexp.MustCompile("^" + name + "$").MatchString(s) {
			t.Errorf("%s is not of the form %s", s, name)
		}
	}
	if MintSession(k, sample) != MintSession(k, sample) {
		t.Error("minting is not a function of the handle")
	}
}

// Every single character matters, whatever it is replaced with.
func TestParseRefusesEveryChange(t *testing.T) {
	k := ring(t, newSecret)
	for _, kind := range []struct {
		name  string
		good  string
		parse func(string) error
	}{
		{"session", MintSession(k, sample), func(s string) error { _, err := ParseSession(k, s); return err }},
		{"refresh", MintRefresh(k, issuer, sample), func(s string) error { _, err := ParseRefresh(k, issuer, s); return err }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			if err := kind.parse(kind.good); err != nil {
				t.Fatal(err)
			}
			for i := range kind.good {
				for _, c := range alphabet + "=+/\n\r\x00 é" {
					bad := kind.good[:i] + string(c) + kind.good[i+1:]
					if bad == kind.good {
						continue
					}
					if err := kind.parse(bad); !errors.Is(err, ErrInvalid) {
						t.Fatalf("accepted with %q at %d", c, i)
					}
				}
			}
		})
	}
}

func TestParseRefusesGarbage(t *testing.T) {
	k := ring(t, newSecret)
	session, refresh := MintSession(k, sample), MintRefresh(k, issuer, sample)
	for name, s := range map[string]string{
		"empty":            "",
		"prefix only":      "gts_",
		"other kind":       refresh,
		"renamed kind":     "gts_" + refresh[4:],
		"no prefix":        session[4:],
		"upper-case":       "GTS_" + session[4:],
		"cut":              session[:len(session)-1],
		"longer":           session + "A",
		"padding":          session + "=",
		"line break":       session[:40] + "\n" + session[40:],
		"line break fills": session[:40] + "\n" + session[40:len(session)-1],
		"leading space":    " " + session,
		"very long":        strings.Repeat("gts_", 1<<16),
		"zeros":            "gts_" + strings.Repeat("A", 72),
	} {
		if _, err := ParseSession(k, s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		as := strings.Replace(s, "gts_", "gtr_", 1)
		if _, err := ParseRefresh(k, issuer, as); as != refresh && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, as refresh token: %v", name, err)
		}
	}
}

// The MACs of the two kinds must not be interchangeable even for equal bodies.
func TestLabelsDiffer(t *testing.T) {
	k := ring(t, newSecret)
	if bytes.Equal(k.MAC(sessionLabel, []byte("x")), k.MAC(refreshLabel, []byte("x"))) {
		t.Error("one MAC serves both kinds")
	}
}

func TestSecretHash(t *testing.T) {
	want := sha256.Sum256([]byte("sixteen secrets!"))
	if diff := cmp.Diff(want[:], sample.SecretHash()); diff != "" {
		t.Error(diff)
	}
}

func TestHandlePrintsNoSecret(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, sample); strings.Contains(out, "secrets") || strings.Contains(out, "115") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}

func TestSessionDigest(t *testing.T) {
	k := ring(t, newSecret)
	s := MintSession(k, sample)
	id, digest, ok := SessionDigest(s)
	if !ok || id != sample.ID {
		t.Fatalf("digest: %v, %v", id, ok)
	}
	other := sample
	other.Secret[15]++
	if _, d, _ := SessionDigest(MintSession(k, other)); d == digest {
		t.Error("another secret has the same digest")
	}
	if _, d, _ := SessionDigest(s); d != digest {
		t.Error("one handle has two digests")
	}
	for name, bad := range map[string]string{
		"refresh token": MintRefresh(k, issuer, sample),
		"empty":         "",
		"line break":    s[:40] + "\n" + s[41:],
		"not base64url": s[:40] + "+" + s[41:],
		"longer":        s + "A",
	} {
		if _, _, ok := SessionDigest(bad); ok {
			t.Errorf("%s has a digest", name)
		}
	}
	if n := testing.AllocsPerRun(100, func() { SessionDigest(s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCode(t *testing.T) {
	secret := bytes.Repeat([]byte{0xa5}, CodeSecretSize)
	id, got, err := ParseCode(MintCode(sample.ID, secret))
	if err != nil || id != sample.ID || !bytes.Equal(got, secret) {
		t.Errorf("code: %v %x %v", id, got, err)
	}
	if s := MintCode(sample.ID, secret[:31]); s != "" {
		t.Errorf("a short secret makes the code %q", s)
	}
	good := MintCode(sample.ID, secret)
	for _, bad := range []string{"", good[1:], good + "A", good[:9] + "\n" + good[10:], "*" + good[1:], strings.Repeat("=", 64)} {
		if _, _, err := ParseCode(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.UTC)
	id := NewID(at, nil)
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s: version %d, variant %s", id, id.Version(), id.Variant())
	}
	sec, nsec := id.Time().UnixTime()
	if got := time.Unix(sec, nsec); !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("the id's time is %s, want %s", got, at)
	}
	if NewID(at, nil) == NewID(at, nil) {
		t.Error("two ids of one instant are equal")
	}
	last := uuid.Nil
	for i := range 5000 {
		id := NewID(at.Add(time.Duration(i)*250*time.Nanosecond), nil)
		if bytes.Compare(id[:8], last[:8]) <= 0 {
			t.Fatalf("%s does not sort after %s", id, last)
		}
		last = id
	}
	fixed := bytes.Repeat([]byte{0xff}, 8)
	if a, b := NewID(at, bytes.NewReader(fixed)), NewID(at, bytes.NewReader(fixed)); a != b {
		t.Error("the source is not used")
	}
	broken := iotest.ErrReader(errors.New("broken"))
	if NewID(at, broken) == NewID(at, broken) {
		t.Error("a broken source makes equal ids")
	}
}

func FuzzParseSession(f *testing.F) {
	k := ring(f, newSecret, oldSecret)
	f.Add(MintSession(k, sample))
	f.Add("gts_")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseSession(k, s)
		_, _, ok := SessionDigest(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("undocumented error %v", err)
			}
			return
		}
		if !ok {
			t.Error("a good handle has no digest")
		}
		if MintSession(k, h) != s && MintSession(ring(t, oldSecret), h) != s {
			t.Errorf("%q is a second spelling", s)
		}
	})
}

func FuzzParseRefresh(f *testing.F) {
	k := ring(f, newSecret)
	f.Add(MintRefresh(k, issuer, sample))
	f.Add("gtr_")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseRefresh(k, issuer, s)
		if err == nil && MintRefresh(k, issuer, h) != s {
			t.Errorf("%q is a second spelling", s)
		}
	})
}

func FuzzParseCode(f *testing.F) {
	f.Add(MintCode(sample.ID, make([]byte, 32)))
	f.Add(strings.Repeat("A", 63) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		id, secret, err := ParseCode(s)
		if err == nil && MintCode(id, secret) != s {
			t.Errorf("%q is a second spelling", s)
		}
	})
}

// The minted handle survives any contents.
func FuzzMint(f *testing.F) {
	k := ring(f, newSecret)
	f.Add(sample.ID[:], sample.Secret[:], uint32(1))
	f.Fuzz(func(t *testing.T, id, secret []byte, generation uint32) {
		h := Handle{Generation: generation}
		copy(h.ID[:], id)
		copy(h.Secret[:], secret)
		if got, err := ParseRefresh(k, issuer, MintRefresh(k, issuer, h)); err != nil || got != h {
			t.Errorf("refresh token: %v, %v", got, err)
		}
		h.Generation = 0
		if got, err := ParseSession(k, MintSession(k, h)); err != nil || got != h {
			t.Errorf("session handle: %v, %v", got, err)
		}
	})
}

func BenchmarkSessionDigest(b *testing.B) {
	s := MintSession(ring(b, newSecret), sample)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := SessionDigest(s); !ok {
			b.Fatal("no digest")
		}
	}
}

func BenchmarkParseSession(b *testing.B) {
	k := ring(b, newSecret)
	s := MintSession(k, sample)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSession(k, s); err != nil {
			b.Fatal(err)
		}
	}
}

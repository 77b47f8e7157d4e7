package keyring

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

var (
	oldSecret = []byte("the secret of last year, quite long")
	newSecret = []byte("the secret of this year, quite long")
)

func ring(t testing.TB, secrets ...[]byte) *Keyring {
	t.Helper()
	k, err := New(nil, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNew(t *testing.T) {
	tests := []struct {
		name    string
		secrets [][]byte
		keys    int // 0: refused
	}{
		{"no secret", nil, 0},
		{"short", [][]byte{[]byte("fifteen bytes..")}, 0},
		{"second is short", [][]byte{newSecret, []byte("short")}, 0},
		{"empty", [][]byte{{}}, 0},
		{"sixteen bytes", [][]byte{[]byte("sixteen bytes...")}, 1},
		{"two", [][]byte{newSecret, oldSecret}, 2},
		{"the same twice", [][]byte{newSecret, newSecret}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := New(nil, tt.secrets...)
			if (err == nil) != (tt.keys > 0) {
				t.Fatalf("error %v", err)
			}
			if err == nil && len(k.KeyIDs()) != tt.keys {
				t.Errorf("%d keys, want %d", len(k.KeyIDs()), tt.keys)
			}
			if err != nil && strings.Contains(err.Error(), "fifteen") {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestKeyID(t *testing.T) {
	k := ring(t, newSecret, oldSecret)
	if again := ring(t, newSecret); again.KeyID() != k.KeyID() {
		t.Error("the key id is not a function of the first secret")
	}
	if other := ring(t, oldSecret); other.KeyID() == k.KeyID() {
		t.Error("two secrets have one key id")
	}
	raw, err := base64.RawURLEncoding.DecodeString(k.KeyID())
	if err != nil || !bytes.Equal(raw, k.AppendKeyID(nil)) || len(raw) != KeyIDSize {
		t.Errorf("key id %q is not the binary id", k.KeyID())
	}
	if !k.Knows(raw) || k.Knows(make([]byte, KeyIDSize)) {
		t.Error("Knows does not know")
	}
	if bytes.Contains(newSecret, raw) {
		t.Error("the key id shows the secret")
	}
}

// A format verb of any kind shows ids only.
func TestKeyringPrintsNoSecret(t *testing.T) {
	k := ring(t, newSecret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		out := fmt.Sprintf(verb, k)
		if out != "keyring["+k.KeyID()+"]" {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}

func TestExpandIsHKDF(t *testing.T) {
	k := ring(t, newSecret)
	want, err := hkdf.Key(sha256.New, newSecret, []byte(salt), "mac\x00label", 32)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.keys[0].expand("mac", "label"); !bytes.Equal(got, want) {
		t.Errorf("expanded %x, want %x", got, want)
	}
}

func TestRandom(t *testing.T) {
	k, err := New(bytes.NewReader([]byte("0123456789")), newSecret)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Random(10); string(got) != "0123456789" {
		t.Errorf("Random gave %q, not the source's bytes", got)
	}
	k, err = New(iotest.ErrReader(errors.New("broken")), newSecret)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := k.Random(32), k.Random(32); bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		t.Error("a broken source yields predictable bytes")
	}
}

func TestSeal(t *testing.T) {
	k := ring(t, newSecret, oldSecret)
	was := ring(t, oldSecret)
	aad, plain := []byte("session|7|claims"), []byte("who they are")
	sealed := k.Seal("claims", aad, plain)
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	nonce := bytes.Clone(sealed)
	nonce[KeyIDSize] ^= 1

	tests := []struct {
		name   string
		ring   *Keyring
		label  string
		aad    string
		sealed []byte
		want   error
	}{
		{"as sealed", k, "claims", "session|7|claims", sealed, nil},
		{"sealed by the former secret", k, "claims", "session|7|claims", was.Seal("claims", aad, plain), nil},
		{"another label", k, "tokens", "session|7|claims", sealed, ErrOpen},
		{"another row", k, "claims", "session|8|claims", sealed, ErrOpen},
		{"unknown key", was, "claims", "session|7|claims", sealed, ErrKey},
		{"damaged", k, "claims", "session|7|claims", flipped, ErrOpen},
		{"another nonce", k, "claims", "session|7|claims", nonce, ErrOpen},
		{"cut", k, "claims", "session|7|claims", sealed[:len(sealed)-1], ErrOpen},
		{"too short", k, "claims", "session|7|claims", sealed[:Overhead-1], ErrOpen},
		{"empty", k, "claims", "session|7|claims", nil, ErrOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ring.Open(tt.label, []byte(tt.aad), tt.sealed)
			if !errors.Is(err, tt.want) || (tt.want == nil && !bytes.Equal(got, plain)) {
				t.Errorf("got %q, %v; want %v", got, err, tt.want)
			}
		})
	}
	if bytes.Equal(sealed, k.Seal("claims", aad, plain)) {
		t.Error("sealing twice gives the same bytes")
	}
	if len(sealed) != len(plain)+Overhead {
		t.Errorf("sealed %d bytes into %d, overhead %d", len(plain), len(sealed), Overhead)
	}
}

func TestOpenStringIsStrict(t *testing.T) {
	k := ring(t, newSecret)
	// 46 + 1 bytes: the last character has four spare bits.
	s := k.SealString("l", nil, []byte("x"))
	if got, err := k.OpenString("l", nil, s); err != nil || string(got) != "x" {
		t.Fatalf("opening: %q, %v", got, err)
	}
	last := strings.IndexByte(alphabet, s[len(s)-1])
	for name, bad := range map[string]string{
		"padding":       s + "=",
		"line break":    s[:10] + "\n" + s[10:],
		"break at end":  s + "\r\n",
		"spare bits":    s[:len(s)-1] + string(alphabet[last|1]),
		"other base64":  strings.ReplaceAll(s, s[:1], "+"),
		"empty":         "",
		"one character": s + "A",
	} {
		if _, err := k.OpenString("l", nil, bad); !errors.Is(err, ErrOpen) && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestMAC(t *testing.T) {
	k, was := ring(t, newSecret, oldSecret), ring(t, oldSecret)
	mac := k.MAC("session handle", []byte("ab"), []byte("c"))
	former := was.MAC("session handle", []byte("ab"), []byte("c"))
	tests := []struct {
		name  string
		ring  *Keyring
		label string
		mac   []byte
		parts []string
		want  bool
	}{
		{"whole", k, "session handle", mac, []string{"ab", "c"}, true},
		{"cut to 16", k, "session handle", mac[:16], []string{"ab", "c"}, true},
		{"cut to 15", k, "session handle", mac[:15], []string{"ab", "c"}, false},
		{"empty", k, "session handle", nil, []string{"ab", "c"}, false},
		{"too long", k, "session handle", append(bytes.Clone(mac), 0), []string{"ab", "c"}, false},
		{"former secret", k, "session handle", former, []string{"ab", "c"}, true},
		{"secret that went", was, "session handle", mac, []string{"ab", "c"}, false},
		{"other label", k, "refresh token", mac, []string{"ab", "c"}, false},
		{"divided otherwise", k, "session handle", mac, []string{"a", "bc"}, false},
		{"joined", k, "session handle", mac, []string{"abc"}, false},
		{"empty part more", k, "session handle", mac, []string{"ab", "c", ""}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var parts [][]byte
			for _, p := range tt.parts {
				parts = append(parts, []byte(p))
			}
			if got := tt.ring.VerifyMAC(tt.label, tt.mac, parts...); got != tt.want {
				t.Errorf("verified: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMACs(t *testing.T) {
	k, was := ring(t, newSecret, oldSecret), ring(t, oldSecret)
	macs := k.MACs("label", []byte("data"))
	if len(macs) != 2 || !bytes.Equal(macs[0], k.MAC("label", []byte("data"))) || !bytes.Equal(macs[1], was.MAC("label", []byte("data"))) {
		t.Errorf("MACs are not those of each key, the first first: %x", macs)
	}
}

func FuzzOpenString(f *testing.F) {
	k := ring(f, newSecret, oldSecret)
	f.Add(k.SealString("l", []byte("aad"), []byte("plain")))
	f.Add("")
	f.Add("AAAA\n")
	f.Fuzz(func(t *testing.T, s string) {
		plain, err := k.OpenString("l", []byte("aad"), s)
		if err != nil {
			if !errors.Is(err, ErrOpen) && !errors.Is(err, ErrKey) {
				t.Errorf("undocumented error %v", err)
			}
			return
		}
		b, err := decodeStrict(s)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != s {
			t.Errorf("%q is a second spelling of %q", s, plain)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	k := ring(b, newSecret)
	sealed := k.Seal("claims", []byte("aad"), make([]byte, 400))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open("claims", []byte("aad"), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyMAC(b *testing.B) {
	k := ring(b, newSecret)
	part := make([]byte, 38)
	mac := k.MAC("session handle", part)[:16]
	b.ReportAllocs()
	for b.Loop() {
		if !k.VerifyMAC("session handle", mac, part) {
			b.Fatal("not verified")
		}
	}
}

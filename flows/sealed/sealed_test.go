package sealed_test

import (
	"crypto/rand"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
)

type value struct {
	URL   string   `json:"u"`
	Scope []string `json:"o,omitempty"`
}

func TestSealed_OpensOnlyWhereItBelongs(t *testing.T) {
	keys := newKeyring(t, "the secret of these nodes, long enough")
	want := value{URL: "https://app.test/?a=1&b=<2>", Scope: []string{"openid"}}
	stored, shown := sealed.Seal(keys, "flow", []byte("flow:1"), want), sealed.SealString(keys, "form", []byte("https://app.test"), want)
	if n := sealed.StringLength(want); n != len(shown) {
		t.Errorf("StringLength is %d, not %d", n, len(shown))
	}
	got, err := sealed.Open[value](keys, "flow", []byte("flow:1"), stored)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	got, err = sealed.OpenString[value](keys, "form", []byte("https://app.test"), shown)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	others := newKeyring(t, "the secret of other nodes, long enough")
	for name, open := range map[string]func() (value, error){
		"another label": func() (value, error) { return sealed.Open[value](keys, "form", []byte("flow:1"), stored) },
		"another place": func() (value, error) { return sealed.Open[value](keys, "flow", []byte("flow:2"), stored) },
		"another secret": func() (value, error) {
			return sealed.Open[value](others, "flow", []byte("flow:1"), stored)
		},
		"nothing":      func() (value, error) { return sealed.OpenString[value](keys, "form", nil, "") },
		"another type": func() (value, error) { return sealed.Open[value](keys, "n", nil, sealed.Seal(keys, "n", nil, 1)) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened %v", name, got)
		}
	}
}

func newKeyring(t *testing.T, secret string) *keyring.Keyring {
	t.Helper()
	keys, err := keyring.New(rand.Reader, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

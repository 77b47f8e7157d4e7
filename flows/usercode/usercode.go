// Package usercode makes and reads the codes that people carry from a device to a
// browser (RFC 8628, section 6.1).
package usercode

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// Length of a code in letters, without the dash.
const Length = 8

// Letters of codes. There are no vowels, so that no words appear, and nothing that is
// read as something else. 20 to the 8th is 34.6 bits.
const Letters = "BCDFGHJKLMNPQRSTVWXZ"

// label of the MAC that stands for a code.
const label = "user code"

// MaxTyped is the most bytes that are read of a code. Letters may be of the full
// width, with something invisible between.
const MaxTyped = 256

// New draws a code, each letter uniformly: bytes beyond the largest multiple of 20
// are thrown away.
func New(k *keyring.Keyring) string {
	code := make([]byte, 0, Length)
	for len(code) < Length {
		for _, b := range k.Random(2 * Length) {
			if b < 240 && len(code) < Length {
				code = append(code, Letters[int(b)%len(Letters)])
			}
		}
	}
	return string(code)
}

// Format is a code as it is shown to people: BCDF-GHJK.
func Format(code string) string {
	if len(code) != Length {
		return code
	}
	return code[:Length/2] + "-" + code[Length/2:]
}

// Parse reads a code as people type or paste it: any case, any kind of dash, space or
// quote, letters of the full width. What is not in [Letters] is left out, as section
// 6.1 advises. ok reports whether a code is left.
func Parse(s string) (code string, ok bool) {
	if len(s) > MaxTyped || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", false // nobody types that
	}
	b := make([]byte, 0, Length)
	for _, r := range strings.ToUpper(norm.NFKC.String(s)) {
		if r >= utf8.RuneSelf || !strings.ContainsRune(Letters, r) {
			continue
		}
		if len(b) == Length {
			return "", false
		}
		b = append(b, byte(r)) //nolint:gosec // ASCII was checked
	}
	return string(b), len(b) == Length
}

// Alias is the key under which a cache finds a code that an issuer gave out. It
// holds a MAC, so that what is in the cache tells no code.
func Alias(k *keyring.Keyring, code, issuer string) string {
	return alias(k.MAC(label, []byte(code), []byte(issuer)))
}

// Aliases are the keys under which a code may be found, by every secret of the
// keyring; [Alias] is the first.
func Aliases(k *keyring.Keyring, code, issuer string) []string {
	var all []string
	for _, mac := range k.MACs(label, []byte(code), []byte(issuer)) {
		all = append(all, alias(mac))
	}
	return all
}

func alias(mac []byte) string { return "user:" + base64.RawURLEncoding.EncodeToString(mac[:24]) }

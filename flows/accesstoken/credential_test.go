package accesstoken

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestParseCredential(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		value       string
		from        Places
		scheme, raw string
		want        bool
	}{
		"bearer":                         {"bearer  x", Places{}, "bearer", "x", true},
		"DPoP":                           {"DPOP x", Places{}, "dpop", "x", true},
		"another scheme":                 {"Bearerx x", Places{}, "", "", false},
		"no value":                       {"Bearer", Places{}, "", "", false},
		"Basic, where it is the app's":   {basic("a:x"), Places{}, "", "", false},
		"Basic":                          {basic("a:x"), Places{Basic: true}, "basic", "x", true},
		"Basic, with a colon in it":      {basic("a:x:y"), Places{Basic: true}, "basic", "x:y", true},
		"Basic, without a name":          {basic(":x"), Places{Basic: true}, "basic", "x", true},
		"Basic, without a password":      {basic("a"), Places{Basic: true}, "basic", "", true},
		"Basic, which cannot be decoded": {"Basic \x00", Places{Basic: true}, "basic", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseCredential(c.value, c.from)
			if ok != c.want || got.Scheme != c.scheme || got.Raw != c.raw {
				t.Errorf("%+v, %v", got, ok)
			}
		})
	}
}

// Nothing is made up that the header does not hold.
func FuzzParseCredential(f *testing.F) {
	for _, seed := range []string{"Bearer x", "DPoP x", "Basic YTp4", "basic ====", "Bearer", " ", "Basic  YTp4 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := parseCredential(value, Places{Basic: true})
		if !ok {
			return
		}
		if got.Scheme == SchemeBasic {
			encoded := strings.TrimRight(strings.TrimLeft(value[len(SchemeBasic):], " "), " ")
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil && got.Raw != "" || err == nil && got.Raw != "" && !strings.HasSuffix(string(decoded), ":"+got.Raw) {
				t.Errorf("%q has the password %q", value, got.Raw)
			}
			return
		}
		if !strings.HasSuffix(value, got.Raw) {
			t.Errorf("%q holds %q", value, got.Raw)
		}
	})
}

package main

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestResourceMetadataOf(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{nil, ""},
		{[]string{`Bearer resource_metadata="https://a/x"`}, "https://a/x"},
		{[]string{`bearer realm="a", Resource_Metadata = "https://a/x"`}, "https://a/x"},
		{[]string{`Bearer resource_metadata=abc`}, "abc"},
		{[]string{`Basic realm="Bearer resource_metadata=evil"`, `DPoP algs="ES256", resource_metadata="m"`}, "m"},
		{[]string{`Basic resource_metadata="evil", Bearer realm="x"`}, ""},
		{[]string{`Negotiate YWJj==, Bearer resource_metadata="m"`}, "m"},
		{[]string{`Bearer realm="a \" resource_metadata=evil", resource_metadata="m\"n"`}, `m"n`},
		{[]string{`Bearer resource_metadata="not closed`}, ""},
		{[]string{`resource_metadata="no scheme"`}, ""},
		{[]string{"Bearer \x00 resource_metadata=x"}, ""},
	} {
		if got := resourceMetadataOf(c.headers); got != c.want {
			t.Errorf("%q: %q, want %q", c.headers, got, c.want)
		}
	}
}

func FuzzResourceMetadataOf(f *testing.F) {
	f.Add(`Basic realm="x", Bearer resource_metadata="https://a/x"`)
	f.Add(`Negotiate YWJj==, Bearer resource_metadata="\`)
	f.Fuzz(func(t *testing.T, header string) {
		if got := resourceMetadataOf([]string{header}); got != "" && !strings.Contains(strings.ToLower(header), "resource_metadata") {
			t.Errorf("%q was found in %q", got, header)
		}
	})
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff\u009b31m")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u2028' {
				t.Errorf("%q became %q", s, got)
			}
		}
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxPrinted {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		resource, address string
		want              bool
	}{
		{"https://a.example", "https://A.example:443/x", true},
		{"https://a.example/", "https://a.example/x", true},
		{"https://a.example/x", "https://a.example/x/y", true},
		{"https://a.example/x", "https://a.example/xy", false},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "https://a.example:8443", false},
		{"https://a.example?x", "https://a.example", false},
		{"https://a.example", "https://a.example.evil.example", false},
		{"", "https://a.example", false},
	} {
		resource, _ := url.Parse(c.resource)
		address, _ := url.Parse(c.address)
		if got := covers(resource, address); got != c.want {
			t.Errorf("%s covers %s: %v", c.resource, c.address, got)
		}
	}
}

func FuzzParseSite(f *testing.F) {
	f.Add("app.example.com")
	f.Add("http://localhost.")
	f.Add("https://user@app.example.com")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseSite(raw)
		if err != nil {
			return
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) || u.User != nil || u.Host == "" {
			t.Errorf("%q is taken as %q", raw, u)
		}
	})
}

func FuzzUserOf(f *testing.F) {
	f.Add("e30.eyJpc3MiOiJpIiwic3ViIjoicyJ9.x")
	f.Fuzz(func(_ *testing.T, idToken string) { userOf(idToken, "i") })
}

// Every pixel of a drawn code is the one that was encoded, and the border is
// light.
func TestQRCode_DrawsWhatWasEncoded(t *testing.T) {
	b, err := qrCode("https://auth.example.com/device?user_code=BCDF-GHJK")
	if err != nil {
		t.Fatal(err)
	}
	lines := b.lines()
	if len(lines) != (b.height+1)/2 {
		t.Fatalf("%d lines for %d rows", len(lines), b.height)
	}
	halves := map[rune][2]bool{' ': {}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}}
	for i, line := range lines {
		for x, r := range []rune(line) {
			for half, black := range halves[r] {
				y := 2*i + half
				if black != (y < b.height && b.black(x, y)) {
					t.Fatalf("%d, %d is drawn wrongly", x, y)
				}
				if black && (x < quiet || y < quiet || x >= b.width-quiet || y >= b.height-quiet) {
					t.Fatalf("%d, %d is black in the border", x, y)
				}
			}
		}
	}
	// The three corners have the finder pattern.
	for _, corner := range [][2]int{{quiet, quiet}, {b.width - quiet - 7, quiet}, {quiet, b.height - quiet - 7}} {
		for i := range 7 {
			if !b.black(corner[0]+i, corner[1]) || !b.black(corner[0], corner[1]+i) || b.black(corner[0]+1, corner[1]+1) {
				t.Fatalf("no finder pattern at %v", corner)
			}
		}
	}
}

func TestDrawLetters(t *testing.T) {
	var b strings.Builder
	drawLetters(&b, "TL-", 80)
	want := "  ▀▀█▀▀  █             \n" +
		"    █    █      ▄▄▄▄▄  \n" +
		"    █    █             \n" +
		"    ▀    ▀▀▀▀▀         \n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	b.Reset()
	drawLetters(&b, "ÄB", 80)
	drawLetters(&b, strings.Repeat("A", 12), 80)
	if b.Len() > 0 {
		t.Errorf("got\n%s", b.String())
	}
}

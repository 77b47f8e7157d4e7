package page

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLine(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "Zoë 日本", "Zoë 日本"},
		{"cut", "abcdefghijk", "abcdefgh…"},
		{"line breaks", "a\r\nb\tc", "a  b c"},
		{"control", "a\x00\x1b[b", "a[b"},
		{"turned", "a\u202Eb\u2066c", "abc"},
		{"not UTF-8", "a\xffb", "ab"},
		{"blank", " \n ", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, line(tc.in, 8)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{
		"bcdfghjk": "BCDF-GHJK", "BCDF-GHJK": "BCDF-GHJK", " bcdf ghjk ": "BCDF-GHJK", "bcd": "bcd", "": "", "éééééééé": "éééééééé",
	} {
		if got := grouped(in); got != want {
			t.Errorf("grouped(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestFieldsAreWholeOrAbsent(t *testing.T) {
	long := strings.Repeat("x", maxOwn+1)
	got := whole([]Field{{"a", "1"}, {"b", long}, {"c", "\xff"}, {"d", "line\nbreak"}})
	if diff := cmp.Diff([]Field{{"a", "1"}, {"d", "line\nbreak"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMoment(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 8, 0, 0, time.FixedZone("", 3600))
	for _, tc := range []struct {
		name string
		ago  time.Duration
		want string
	}{
		{"now", 30 * time.Second, "just now"},
		{"a minute", time.Minute, "1 minute ago"},
		{"minutes", 59 * time.Minute, "59 minutes ago"},
		{"hours", 3 * time.Hour, "3 hours ago"},
		{"days", 50 * time.Hour, "2 days ago"},
		{"long", 300 * time.Hour, "22 November 2026"},
		{"slow clock", -time.Hour, "22 November 2026, 00:08 UTC"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := momentOf(at, func() time.Time { return at.Add(tc.ago) })
			if diff := cmp.Diff(tc.want, got.Text); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := momentOf(at, nil).Text; got != "22 November 2026, 00:08 UTC" {
		t.Error(got)
	}
	if got := momentOf(time.Time{}, nil); got != (moment{}) {
		t.Error(got)
	}
}

func TestBrowser(t *testing.T) {
	for ua, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                 "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                  "Safari on Mac",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                           "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"gate/1.0 (linux; amd64)": "gate/1.0 on Linux",
		"curl/8.5.0":              "curl/8.5.0",
		"":                        "Unknown browser",
		"\x00\u202E":              "Unknown browser",
	} {
		if got := Browser(ua); got != want {
			t.Errorf("%q is %q, want %q", ua, got, want)
		}
	}
}

package reading_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// shape is a line of testdata/paths.txt, which the integration tests send to
// real servers too.
type shape struct{ path, admin, public string }

func shapes(t testing.TB) []shape {
	t.Helper()
	text, err := os.ReadFile("testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []shape
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			t.Fatalf("%q has %d fields", line, len(fields))
		}
		all = append(all, shape{fields[0], fields[1], fields[2]})
	}
	return all
}

// isBelow is how Caddy's path matcher takes "/prefix/*".
func isBelow(prefix, p string) bool {
	clean := path.Clean(strings.ToLower(p))
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return strings.HasPrefix(clean, prefix)
}

// judge is what two guards make of a path: one of /admin/*, one of all that is
// not /public/*.
func judge(t testing.TB, raw string) (admin, public string) {
	t.Helper()
	r := request(t, raw)
	others, err := reading.Others(r, reading.Looks{})
	if errors.Is(err, reading.ErrMalformed) {
		return "refused", "refused"
	}
	if err != nil {
		t.Fatal(err)
	}
	admin, public = "open", "open"
	for _, read := range append(others, reading.Reading{Path: r.URL.Path}) {
		if isBelow("/admin/", read.Path) {
			admin = "closed"
		}
		if !isBelow("/public/", read.Path) {
			public = "closed"
		}
	}
	return admin, public
}

func request(t testing.TB, raw string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: http.MethodGet, URL: u, RequestURI: raw, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}}
}

func TestOthers_NoReadingOfAPathIsMissed(t *testing.T) {
	for _, s := range shapes(t) {
		if admin, public := judge(t, s.path); admin != s.admin || public != s.public {
			t.Errorf("%s: /admin/* is %s, want %s; not /public/* is %s, want %s", s.path, admin, s.admin, public, s.public)
		}
	}
}

// A path that is made to have very many readings costs little, and is refused.
func TestOthers_AreBounded(t *testing.T) {
	for _, raw := range []string{
		"/" + strings.Repeat("a//..;b%255c%253f.%20/", 200),
		strings.Repeat("/%252e%252e;%c0%af", 3000),
		"/" + strings.Repeat("x//", 100_000) + ";%25",
	} {
		others, err := reading.Others(request(t, raw), reading.Looks{})
		if err == nil && len(others) > 600 {
			t.Errorf("%.40s… has %d readings", raw, len(others))
		}
	}
}

func TestOthers_PlainRequestsCostNothing(t *testing.T) {
	for _, raw := range []string{"/", "/reports/2026/11?year=2026&x=%", "/a.b/c_d-e~f/(g)", "/files/a%20b.txt", "/api/v1:run"} {
		r := request(t, raw)
		if allocs := testing.AllocsPerRun(100, func() {
			if others, err := reading.Others(r, reading.Looks{}); err != nil || others != nil {
				t.Fatalf("%s is read as %v, %v", raw, others, err)
			}
		}); allocs > 0 {
			t.Errorf("%s: %v allocations", raw, allocs)
		}
	}
}

func TestOthers_MethodsAreReadInUpperCaseToo(t *testing.T) {
	r := request(t, "/x")
	r.Method = "dElete"
	others, err := reading.Others(r, reading.Looks{})
	if err != nil || len(others) != 1 || others[0] != (reading.Reading{Method: "DELETE", Path: "/x"}) {
		t.Errorf("read as %v, %v", others, err)
	}
}

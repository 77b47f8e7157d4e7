package page

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRender: no text makes a page fail, adds an element that runs, or leaves
// the page's bounds.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"", "alice", "<script>", "\"><script x", "</style><SCRIPT>", "javascript:x", "\xff\xfe", "{{.}}", "https://a.example/;x", "a:\"", "a:'", "com.example.app:/é <x>"} {
		f.Add(s)
	}
	r := renderer(f, Options{})
	f.Fuzz(func(t *testing.T, s string) {
		every(t, r, http.MethodGet, s, func(page string, rec *httptest.ResponseRecorder) {
			body := rec.Body.String()
			if rec.Code >= http.StatusInternalServerError {
				t.Fatalf("%s: status %d", page, rec.Code)
			}
			directives := 4
			if page == "formpost" {
				body = strings.Replace(body, "<script>"+submitScript+"</script>", "", 1)
			}
			if strings.Contains(rec.Header().Get("Content-Security-Policy"), "; form-action 'none'; ") {
				directives++
			}
			if page == "framed" {
				directives-- // it may be framed
			}
			if strings.Contains(strings.ToLower(body), "<script") {
				t.Fatalf("%s: script with %q", page, s)
			}
			if !utf8.ValidString(body) {
				t.Fatalf("%s: not UTF-8 with %q", page, s)
			}
			if strings.Contains(rec.Header().Get("Content-Security-Policy"), "script") && !strings.Contains(s, "script") && page != "formpost" {
				t.Fatalf("%s: policy %s", page, rec.Header().Get("Content-Security-Policy"))
			}
			if n := strings.Count(rec.Header().Get("Content-Security-Policy"), ";"); n != directives {
				t.Fatalf("%s: %d directives with %q", page, n+1, s)
			}
		})
	})
}

func FuzzBrowser(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	f.Add("\xff gate")
	f.Fuzz(func(t *testing.T, ua string) {
		got := Browser(ua)
		if got == "" || !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxName+20 || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q is %q", ua, got)
		}
	})
}

func BenchmarkSignIn(b *testing.B) {
	r := renderer(b, Options{})
	p := SignIn{
		Site: "app.example.com", Action: "/.gatehouse/signin", Fields: []Field{{"attempt", "x"}},
		Providers: []ProviderLink{{Name: "google", Title: "Google", URL: "/g"}, {Name: "github", Title: "GitHub", URL: "/h"}},
	}
	req := httptest.NewRequest(http.MethodGet, "https://auth.example.com/signin", nil)
	w := discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r.SignIn(w, req, http.StatusOK, p)
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) WriteHeader(int)             {}
func (discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }

var _ http.ResponseWriter = discard{}

package registration_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/registration"
)

func TestCheckDocumentURL(t *testing.T) {
	for id, fine := range map[string]bool{
		"https://agent.example/client.json":                            true,
		"https://agent.example:8443/a/b?x=1":                           true,
		"https://agent.example/...":                                    true,
		"https://agent.example":                                        false,
		"https://agent.example/":                                       false,
		"http://agent.example/client.json":                             false,
		"HTTPS://agent.example/client.json":                            false,
		"https://agent.example/client.json#x":                          false,
		"https://agent.example/client.json#":                           false,
		"https://user@agent.example/client":                            false,
		"https://user:secret@agent.example/c":                          false,
		"https://agent.example/a/../client":                            false,
		"https://agent.example/./client":                               false,
		"https://agent.example/a/%2e%2E/client":                        false,
		"https://agent.example/a/.":                                    false,
		"https:///client":                                              false,
		"https://agent.example/cli ent":                                false,
		"https://agent.example/cli\\ent":                               false,
		"https://agent.example/\u202e":                                 false,
		"https://agent.example/%zz":                                    false,
		"https://a.example/" + strings.Repeat("x", registration.MaxID): false,
	} {
		if err := registration.CheckDocumentURL(id); (err == nil) != fine {
			t.Errorf("%s: %v", id, err)
		}
	}
}

const documentID = "https://agent.example/client.json"

func TestParseDocument(t *testing.T) {
	const fine = `{"client_id":"` + documentID + `","client_name":"Agent","redirect_uris":["https://agent.example/cb"],"token_endpoint_auth_method":"none"}`
	r, err := registration.ParseDocument(documentID, []byte(fine))
	if err != nil || r.Name != "Agent" {
		t.Fatalf("%v %v", r, err)
	}
	for name, raw := range map[string]string{
		"no JSON":         `<html>`,
		"no client_id":    `{"redirect_uris":["https://agent.example/cb"]}`,
		"another's":       strings.Replace(fine, "agent.example/client", "other.example/client", 1),
		"in capitals":     strings.Replace(fine, "https://agent.example/client", "https://AGENT.example/client", 1),
		"a dot segment":   strings.Replace(fine, "https://agent.example/client", "https://agent.example/./client", 1),
		"a slash more":    strings.Replace(fine, "client.json", "client.json/", 1),
		"a secret":        strings.Replace(fine, "{", `{"client_secret":"x",`, 1),
		"a shared secret": strings.Replace(fine, `"none"`, `"client_secret_jwt"`, 1),
		"a basic secret":  strings.Replace(fine, `"none"`, `"client_secret_basic"`, 1),
		"no URIs":         `{"client_id":"` + documentID + `"}`,
		"a bad URI":       strings.Replace(fine, "https://agent.example/cb", "http://agent.example/cb", 1),
		"too large":       strings.Replace(fine, "{", `{"x":"`+strings.Repeat("x", 5<<10)+`",`, 1),
	} {
		if _, err := registration.ParseDocument(documentID, []byte(raw)); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add(documentID, []byte(`{"client_id":"`+documentID+`","redirect_uris":["https://agent.example/cb"]}`))
	f.Add("https://agent.example/%2e", []byte(`{"client_id":null}`))
	f.Fuzz(func(t *testing.T, id string, raw []byte) {
		if registration.CheckDocumentURL(id) == nil && !strings.HasPrefix(id, "https://") {
			t.Fatalf("%q is taken for a document's URL", id)
		}
		r, err := registration.ParseDocument(id, raw)
		if err != nil {
			if _, ok := errors.AsType[*registration.Error](err); !ok {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		var said struct {
			ID string `json:"client_id"`
		}
		if json.Unmarshal(raw, &said) != nil || said.ID != id || len(r.RedirectURIs) == 0 {
			t.Fatalf("%q is taken for the document of %q", raw, id)
		}
	})
}

// publisher serves documents of agent.example by https.
type publisher struct {
	*httptest.Server
	serve   http.HandlerFunc
	fetched atomic.Int64
	now     time.Time
}

func newPublisher(t *testing.T) (*publisher, *registration.Documents) {
	t.Helper()
	p := &publisher{now: now}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetched.Add(1)
		w.Header().Set("Content-Type", "application/json")
		p.serve(w, r)
	}))
	t.Cleanup(p.Close)
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server is in this process
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, p.Listener.Addr().String())
			},
		},
	}
	return p, registration.NewDocuments(registration.DocumentsConfig{Client: client, Hosts: []string{"agent.example"}, Now: func() time.Time { return p.now }})
}

func document(id string) string {
	return fmt.Sprintf(`{"client_id":%q,"client_name":"Agent","redirect_uris":["https://agent.example/cb"],"grant_types":["authorization_code","refresh_token"]}`, id)
}

func mayFetch() error { return nil }

// What is taken, and what is not: each for the reason that is told.
func TestDocuments_Read(t *testing.T) {
	p, d := newPublisher(t)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"fine": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document(documentID)) }, ""},
		"another's type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/client-metadata+json; charset=utf-8")
			_, _ = io.WriteString(w, document(documentID))
		}, ""},
		"a page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, document(documentID))
		}, "type"},
		"a redirect to itself": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, documentID, http.StatusFound) }, "302"},
		"a redirect inside": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
		}, "307"},
		"not found": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "404"},
		"created": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, document(documentID))
		}, "201"},
		"another's id": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document(documentID+"x")) }, "client_id"},
		"100 MB": {func(w http.ResponseWriter, _ *http.Request) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 100 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "larger"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "{")
		}, "EOF"},
	} {
		p.serve = c.serve
		p.now = p.now.Add(25 * time.Hour) // nothing is remembered
		r, err := d.Read(t.Context(), documentID, mayFetch)
		switch {
		case c.want == "" && (err != nil || r.Name != "Agent" || !r.Refresh):
			t.Errorf("%s: %v %v", name, r, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	before := p.fetched.Load()
	for _, id := range []string{"https://other.example/client.json", "https://AGENT.example/../client.json", "https://agent.example/a/../client.json", "http://agent.example/client.json"} {
		if _, err := d.Read(t.Context(), id, mayFetch); err == nil {
			t.Errorf("%s is taken", id)
		}
	}
	refused := errors.New("not now")
	if _, err := d.Read(t.Context(), documentID+"?other", func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("a fetch that is not allowed: %v", err)
	}
	if p.fetched.Load() != before {
		t.Error("something was fetched that nobody may fetch")
	}
}

// A document is remembered as its headers say, and no longer than a day; what is wrong
// with one never is.
func TestDocuments_AreCachedByTheirHeaders(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                    5 * time.Minute,
		"Cache-Control: max-age=60":           time.Minute,
		"Cache-Control: public, max-age=9":    9 * time.Second,
		"Cache-Control: max-age=99999999":     24 * time.Hour,
		"Cache-Control: max-age=soon":         0,
		"Cache-Control: max-age=-1":           0,
		"Cache-Control: no-store":             0,
		"Cache-Control: No-Cache, max-age=60": 0,
		"Expires: 0":                          0,
		"Expires: Mon, 01 Jan 2035 00:02:00 GMT\nDate: Mon, 01 Jan 2035 00:00:00 GMT":       2 * time.Minute,
		"Cache-Control: max-age=60\nAge: 50":                                                10 * time.Second,
		"Cache-Control: max-age=60\nAge: 90":                                                0,
		"Cache-Control: max-age=60\nExpires: Mon, 01 Jan 2001 00:02:00 GMT\nDate: nonsense": time.Minute,
	} {
		p, d := newPublisher(t)
		p.serve = func(w http.ResponseWriter, _ *http.Request) {
			for line := range strings.SplitSeq(header, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					w.Header().Set(name, value)
				}
			}
			_, _ = io.WriteString(w, document(documentID))
		}
		fetched := func(want int64) {
			t.Helper()
			if _, err := d.Read(t.Context(), documentID, mayFetch); err != nil {
				t.Fatal(err)
			}
			if got := p.fetched.Load(); got != want {
				t.Errorf("%q: fetched %d times, want %d", header, got, want)
			}
		}
		fetched(1)
		if want == 0 {
			fetched(2)
			continue
		}
		p.now = p.now.Add(want - time.Second)
		fetched(1)
		p.now = p.now.Add(time.Second)
		fetched(2)
	}
	p, d := newPublisher(t)
	p.serve = func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
	for range 3 {
		if _, err := d.Read(t.Context(), documentID, mayFetch); err == nil {
			t.Fatal("a document that is not there is read")
		}
	}
	if p.fetched.Load() != 3 {
		t.Error("an error is remembered")
	}
}

// A thousand clients take no more memory than the most that are remembered.
func TestDocuments_AreBounded(t *testing.T) {
	p, d := newPublisher(t)
	p.serve = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, document("https://agent.example"+r.URL.RequestURI()))
	}
	for n := range 600 {
		if _, err := d.Read(t.Context(), fmt.Sprintf("https://agent.example/%d", n), mayFetch); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.Remembered(); n > 500 {
		t.Errorf("%d documents are remembered", n)
	}
}

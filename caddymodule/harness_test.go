package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// cheapHash is the bcrypt hash of "wonderland" at the lowest cost.
const cheapHash = "$2a$04$gmZ5.3bAGGjxP80HfiMEk.a12ft1q8FrYQPgo7OjQQIEIriYNy1X."

// aliceLocal is a provider with one user.
const aliceLocal = "provider local {\n\tuser alice " + cheapHash + " {\n\t\temail alice@example.com\n\t\ttitle \"Alice Liddell\"\n\t\tgroups staff\n\t}\n}\n"

// running is a configuration whose servers are served by hand.
type running struct {
	t   testing.TB
	app *App
	srv map[string]*caddyhttp.Server // by listen address
}

// config makes JSON of a gatehouse block's lines and sites, with all state below
// dir.
func config(t testing.TB, dir, lines, sites string) []byte {
	t.Helper()
	store := ""
	if !strings.Contains(lines, "token_store") {
		store = fmt.Sprintf("token_store sqlite %q\n", filepath.Join(dir, "gatehouse.db"))
	}
	text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tstorage file_system %q\n\tgatehouse {\n%s%s\n\t}\n}\n%s",
		dir, store, lines, sites)
	adapted, err := adapt(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return []byte(adapted)
}

// provision provisions a configuration without starting it.
func provision(t testing.TB, raw []byte) (caddy.Context, error) {
	t.Helper()
	cfg := new(caddy.Config)
	if err := json.Unmarshal(raw, cfg); err != nil {
		t.Fatal(err)
	}
	return caddy.ProvisionContext(cfg)
}

// start provisions a configuration and starts the gatehouse app, not the
// listeners.
func start(t testing.TB, raw []byte) (*running, error) {
	t.Helper()
	r, err := begin(t, raw)
	if err == nil {
		r.app.inForce() // Caddy's event "started"
	}
	return r, err
}

// begin is start before Caddy says that everything has started.
func begin(t testing.TB, raw []byte) (*running, error) {
	t.Helper()
	ctx, err := provision(t, raw)
	if err != nil {
		return nil, err
	}
	value, err := ctx.AppIfConfigured(appName)
	if err != nil {
		return nil, err
	}
	app := value.(*App)
	if err := app.Start(); err != nil {
		if cleanup := app.Cleanup(); cleanup != nil {
			t.Errorf("cleaning up: %v", cleanup)
		}
		return nil, err
	}
	if !bytes.Contains(raw, []byte("postgres")) { // which is not there
		// A busy machine needs longer for a new store than a start waits.
		select {
		case <-app.shared.migrated:
		case <-time.After(time.Minute):
			t.Error("the token store is not ready")
		}
	}
	r := &running{t: t, app: app, srv: make(map[string]*caddyhttp.Server)}
	if value, err := ctx.AppIfConfigured("http"); err == nil {
		for _, srv := range value.(*caddyhttp.App).Servers {
			r.srv[srv.Listen[0]] = srv
		}
	}
	return r, nil
}

func (r *running) stop() {
	r.t.Helper()
	if err := r.app.Stop(); err != nil {
		r.t.Error(err)
	}
	if err := r.app.Cleanup(); err != nil {
		r.t.Error(err)
	}
}

// serve starts a gatehouse with alice and these sites until the test ends.
func serve(t testing.TB, lines, sites string) *running {
	t.Helper()
	r, err := start(t, config(t, t.TempDir(), lines, sites))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	return r
}

// signIn makes a session of alice's at a site and returns its cookie.
func (r *running) signIn(host string, change func(*identity.Claims)) *http.Cookie {
	r.t.Helper()
	claims := identity.Claims{
		Provider: "local", Issuer: "local", ID: "alice", User: "alice",
		Email: "alice@example.com", EmailVerified: true, Name: "Alice Liddell", Groups: []string{"staff"}, AuthTime: time.Now(),
	}
	if change != nil {
		change(&claims)
	}
	started, err := r.app.shared.sessions.SignIn(r.t.Context(), session.Start{ClientID: host, Claims: claims})
	if err != nil {
		r.t.Fatal(err)
	}
	return &http.Cookie{Name: "gatehouse", Value: started.Handle}
}

// do sends a request by way of the server that listens on port 80.
func (r *running) do(req *http.Request) *httptest.ResponseRecorder {
	r.t.Helper()
	srv := r.srv[":80"]
	if srv == nil {
		r.t.Fatalf("no server on :80 among %v", r.srv)
	}
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, req)
	return rec
}

func get(url string, cookies ...*http.Cookie) *http.Request {
	req := httptest.NewRequest(http.MethodGet, url, nil)
	req.RequestURI = req.URL.RequestURI() // httptest's is in absolute form
	for _, c := range cookies {
		req.AddCookie(c)
	}
	return req
}

func navigation(url string, cookies ...*http.Cookie) *http.Request {
	req := get(url, cookies...)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Accept", "text/html")
	return req
}

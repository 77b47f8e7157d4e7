package flows_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// oauthApp is GitHub, for an OAuth App: it signs everybody in without a question and
// answers {access_token, token_type, scope} (jlowin/fastmcp#2534).
type oauthApp struct {
	mu        sync.Mutex
	url       string
	signIns   int
	expiresIn int    // in seconds; 0: it says nothing
	token     string // in place of a fresh one
	scope     string // of its tokens; "": repo
	asked     string // the scope that it was last asked for
	name      string // of the person
	emails    string // what it says of addresses, in JSON; "": nothing
	revoked   map[string]bool
}

func (h *oauthApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.URL.Path {
	case "/login/oauth/authorize":
		h.signIns++
		h.asked = r.URL.Query().Get("scope")
		back := url.Values{"code": {"code"}, "state": {r.URL.Query().Get("state")}}
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	case "/login/oauth/access_token":
		expires := ""
		if h.expiresIn > 0 {
			expires = fmt.Sprintf(`,"expires_in":%d`, h.expiresIn)
		}
		w.Header().Set("Content-Type", "application/json")
		token := cmp.Or(h.token, fmt.Sprintf("gho_%d", h.signIns))
		fmt.Fprintf(w, `{"access_token":"%s","token_type":"bearer","scope":"%s"%s}`, token, cmp.Or(h.scope, "repo"), expires)
	case "/api/v3/user/emails":
		w.Header().Set("Content-Type", "application/json")
		if h.emails == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, h.emails)
	case "/api/v3/user":
		w.Header().Set("Content-Type", "application/json")
		if h.revoked[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"Bad credentials"}`)
			return
		}
		fmt.Fprintf(w, `{"id":7,"login":"octo","type":"User","name":%q}`, h.name)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *oauthApp) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// hubbed is a world whose sites pass on the tokens of GitHub.
type hubbed struct {
	*world
	hub *oauthApp
}

func newHubbed(t *testing.T, portal bool, clients ...*client.Client) hubbed {
	t.Helper()
	h := &oauthApp{revoked: map[string]bool{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	w := newWorld(t, worldOptions{portal: portal, clients: clients, providers: func(now func() time.Time) []provider.Provider {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		p, err := github.New(github.Config{
			Name: "github", ClientID: "app", ClientSecret: "secret", BaseURL: h.url, Scopes: []string{"repo"}, HTTPClient: &http.Client{Transport: transport}, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{p}
	}})
	w.passes = "github"
	config := w.gateway.Config
	var err error
	config.Vault, err = vault.New(vault.Config{
		Store: w.store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: config.Providers[0], Scopes: []string{"gist"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	return hubbed{w, h}
}

func inBothModes(t *testing.T, test func(t *testing.T, w hubbed)) {
	t.Helper()
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) { test(t, newHubbed(t, portal)) })
	}
}

// opens has a browser navigate, and wants it to be there in the end, with a token.
func (w hubbed) opens(b *browser, signIns int) {
	w.t.Helper()
	const deep = "/deep?x=1&y=%2F"
	b.get(w.siteURL("app") + deep)
	if b.last.StatusCode != http.StatusOK || b.last.Request.URL.RequestURI() != deep {
		w.t.Fatalf("the browser is at %s: %d %s", b.last.Request.URL, b.last.StatusCode, b.body)
	}
	if got, want := b.last.Header.Get("Upstream-Authorization"), fmt.Sprintf("Bearer gho_%d", signIns); got != want {
		w.t.Errorf("passed on is %q, want %q", got, want)
	}
	w.signedIn(signIns)
}

func (w hubbed) signedIn(want int) {
	w.t.Helper()
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if w.hub.signIns != want {
		w.t.Errorf("%d sign-ins at the provider, want %d", w.hub.signIns, want)
	}
}

// page wants a navigation to end at a page of ours, without a sign-in.
func (w hubbed) page(b *browser) {
	w.t.Helper()
	b.get(w.siteURL("app")+"/deep").want(http.StatusBadGateway, "No access to GitHub")
	if b.last.Request.URL.Path != "/deep" {
		w.t.Errorf("the page is at %s", b.last.Request.URL)
	}
}

// call is a fetch of a page's script: its status, and its login_url if there is one.
func (w hubbed) call(b *browser) (status int, loginURL string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.siteURL("app")+"/api", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	b.do(req)
	var problem struct {
		LoginURL string `json:"login_url"`
	}
	if b.last.StatusCode != http.StatusOK {
		if err := json.Unmarshal([]byte(b.body), &problem); err != nil {
			w.t.Errorf("%d is no problem document: %s", b.last.StatusCode, b.body)
		}
	}
	return b.last.StatusCode, problem.LoginURL
}

// subject is the only one.
func (w hubbed) subject() string {
	w.t.Helper()
	s, err := w.store.FindSubject(w.t.Context(), tokenstore.Identity{Issuer: w.hub.url, Subject: "7"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

// loses the token, as a crash in the midst of a refresh does.
func (w hubbed) loses() {
	w.t.Helper()
	row, err := w.store.ProviderToken(w.t.Context(), w.subject(), w.hub.url)
	if err != nil {
		w.t.Fatal(err)
	}
	row.NeedsReauth = true
	if _, err := w.store.UpdateProviderToken(w.t.Context(), row); err != nil {
		w.t.Fatal(err)
	}
	w.gateway.Vault.Forget(w.subject())
}

// A token that neither expires nor can be refreshed is used until the provider
// refuses it; then there is one new sign-in, and no loop.
func TestOAuthApp_ItsTokenIsUsedUntilItIsRefused(t *testing.T) {
	inBothModes(t, func(t *testing.T, w hubbed) {
		b := newBrowser(t)
		w.opens(b, 1)
		for range 3 {
			w.clock.advance(2 * 24 * time.Hour)
			w.opens(b, 1)
		}
		for round := 1; round <= 2; round++ {
			token := fmt.Sprintf("gho_%d", round)
			w.hub.set(func() { w.hub.revoked[token] = true })
			w.opens(b, round) // nobody knows yet
			w.clock.advance(time.Minute)
			who := &identity.Identity{Subject: w.subject(), Claims: identity.Claims{Provider: "github", Issuer: w.hub.url, ID: "7"}}
			if err := w.gateway.Guard().DoubtProviderToken(t.Context(), who, "github", token); err == nil {
				t.Fatal("the token that the provider refuses is not found out")
			}
			if status, loginURL := w.call(b); status != http.StatusUnauthorized || loginURL == "" {
				t.Errorf("a program is answered %d %s", status, loginURL)
			}
			w.opens(b, round+1)
			w.opens(b, round+1)
			if status, _ := w.call(b); status != http.StatusOK {
				t.Errorf("a program is answered %d", status)
			}
		}
	})
}

// Whoever's token was lost signs in again by themselves, once, however young the
// session is: what it was begun for is not what is missing now.
func TestChallengeProvider_SignsInAgainByItselfOnce(t *testing.T) {
	inBothModes(t, func(t *testing.T, w hubbed) {
		b := newBrowser(t)
		w.opens(b, 1)
		w.loses()
		if status, loginURL := w.call(b); status != http.StatusForbidden || !strings.Contains(loginURL, "provider=github") {
			t.Errorf("a program is answered %d %s", status, loginURL)
		}
		w.opens(b, 2)
		// It has just been there for this.
		w.loses()
		w.page(b)
		w.signedIn(2)
		for range 3 { // a page that follows login_url again and again
			if status, loginURL := w.call(b); status != http.StatusForbidden || loginURL != "" {
				t.Errorf("a program is answered %d %s", status, loginURL)
			}
		}
		if !strings.Contains(w.logs.String(), "offline_access") {
			t.Error("the log does not say what to mend")
		}
		w.page(b)
		b.follow("Sign in at GitHub") // by hand
		w.signedIn(3)
		if b.last.StatusCode != http.StatusOK {
			t.Errorf("after a sign-in by hand: %d", b.last.StatusCode)
		}
		w.loses()
		w.page(b)
		w.clock.advance(11 * time.Minute)
		w.opens(b, 4)
	})
}

// At the portal the sign-in counts, and not the hand-over to a site that is of just
// now: a site that is opened for the first time days after it.
func TestChallengeProvider_AYoungSiteOfAnOldSignIn(t *testing.T) {
	w := newHubbed(t, true)
	b := newBrowser(t)
	w.opens(b, 1)
	w.loses()
	w.opens(b, 2)
	w.clock.advance(24 * time.Hour)
	w.loses()
	b.CheckRedirect = func(_ *http.Request, via []*http.Request) error { // ten are needed
		if len(via) > 12 {
			return errors.New("a loop")
		}
		return nil
	}
	b.get(w.siteURL("second")+"/").want(http.StatusOK, "hello")
	w.signedIn(3)
}

// Without a refresh token, a token that expires is had anew by a sign-in that
// nobody notices, as often as it expires. One that lives for seconds is none.
func TestChallengeProvider_TokensThatExpire(t *testing.T) {
	inBothModes(t, func(t *testing.T, w hubbed) {
		w.hub.set(func() { w.hub.expiresIn = 5 * 60 })
		b := newBrowser(t)
		w.opens(b, 1)
		for n := 2; n <= 5; n++ {
			w.clock.advance(5*time.Minute + time.Second)
			w.opens(b, n)
			w.opens(b, n)
		}
		w.hub.set(func() { w.hub.expiresIn = 10 })
		w.clock.advance(5*time.Minute + time.Second)
		w.opens(b, 6)
		w.clock.advance(11 * time.Second)
		w.page(b)
		w.signedIn(6)
		if status, loginURL := w.call(b); status != http.StatusForbidden || loginURL != "" {
			t.Errorf("a program is answered %d %s", status, loginURL)
		}
	})
}

// A sign-in that brings no token that can be kept is no reason for another, though
// the one of before had expired as it was to.
func TestChallengeProvider_NothingAfterATokenThatExpired(t *testing.T) {
	inBothModes(t, func(t *testing.T, w hubbed) {
		w.hub.set(func() { w.hub.expiresIn = 5 * 60 })
		b := newBrowser(t)
		w.opens(b, 1)
		w.clock.advance(5*time.Minute + time.Second)
		w.hub.set(func() { w.hub.expiresIn, w.hub.token = 0, "e30.eyJleHAiOjF9.x" }) // exp is 1 second after 1970
		w.page(b)
		w.signedIn(2)
		if status, loginURL := w.call(b); status != http.StatusForbidden || loginURL != "" {
			t.Errorf("a program is answered %d %s", status, loginURL)
		}
	})
}

// Of a sign-in by way of a node of before, it is not known what it was for: a young
// one counts as one for the token, so that two kinds of nodes make no loop.
func TestChallengeProvider_OfAnOlderNode(t *testing.T) {
	w := newHubbed(t, false)
	for name, c := range map[string]struct {
		change func(*identity.Identity)
		want   int
	}{
		"young, of an older node":   {func(*identity.Identity) {}, http.StatusBadGateway},
		"young, for itself":         {func(id *identity.Identity) { id.SoughtKnown = true }, http.StatusSeeOther},
		"young, for the token":      {func(id *identity.Identity) { id.SoughtKnown, id.Sought = true, "github" }, http.StatusBadGateway},
		"young, for another's":      {func(id *identity.Identity) { id.SoughtKnown, id.Sought = true, "google" }, http.StatusSeeOther},
		"old, of an older node":     {func(*identity.Identity) { w.clock.advance(11 * time.Minute) }, http.StatusSeeOther},
		"of another, an older node": {func(id *identity.Identity) { id.Provider = "google" }, http.StatusForbidden}, // a page, and no redirect
	} {
		id := &identity.Identity{SessionID: newV7(t, w.clock.now()), Claims: identity.Claims{Provider: "github"}}
		c.change(id)
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Accept", "text/html")
		rec := httptest.NewRecorder()
		w.gateway.Guard().ChallengeProvider(rec, asRequest(req), id, "github", vault.ErrNeedsReauth)
		if rec.Code != c.want {
			t.Errorf("%s: %d, want %d", name, rec.Code, c.want)
		}
	}
}

// newV7 is a UUIDv7 of a time.
func newV7(t *testing.T, at time.Time) (id uuid.UUID) {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}

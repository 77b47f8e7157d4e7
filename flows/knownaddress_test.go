package flows_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// newAddressed is a world of people with passwords and addresses, and GitHub, which
// calls its one user by an address.
func newAddressed(t *testing.T, portal bool, address string, verified bool, linkByEmail ...string) hubbed {
	t.Helper()
	is := "false"
	if verified {
		is = "true"
	}
	h := &oauthApp{revoked: map[string]bool{}, scope: "user:email", emails: `[{"email":"` + address + `","primary":true,"verified":` + is + `}]`}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	w := newWorld(t, worldOptions{portal: portal, providers: func(now func() time.Time) []provider.Provider {
		return []provider.Provider{localProvider(t, now), hubNamed(t, h, "github", now)}
	}})
	config := w.gateway.Config
	config.LinkByEmail = linkByEmail
	var err error
	if w.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	return hubbed{w, h}
}

func hubNamed(t *testing.T, h *oauthApp, name string, now func() time.Time) *github.Provider {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p, err := github.New(github.Config{
		Name: name, ClientID: "app", ClientSecret: "secret", BaseURL: h.url, Scopes: []string{"user:email"}, HTTPClient: &http.Client{Transport: transport}, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w hubbed) hubSubject() (string, bool) {
	w.t.Helper()
	s, err := w.store.FindSubject(w.t.Context(), tokenstore.Identity{Issuer: w.hub.url, Subject: "7"})
	return s.ID, err == nil
}

// The address only offers: the person signs in to the account that has it, and then at
// the provider, before anything is connected.
func TestLinkByEmail_SignsInAtBoth(t *testing.T) {
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) {
			w := newAddressed(t, portal, "Alice@Example.com", true, "github")
			newBrowser(t).get(w.siteURL("app")+deepURL).signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
			b := newBrowser(t)
			b.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "Do you have an account here?")
			if _, known := w.hubSubject(); known {
				t.Fatal("an account was made, or connected, before anybody answered")
			}
			b.get(w.siteURL("app")+deepURL).want(http.StatusOK, "password") // she is not signed in by it
			b.follow("GitHub").want(http.StatusOK, "Do you have an account here?")
			b.follow("Sign in and connect").want(http.StatusOK, "password")
			b.signIn("alice", "wonderland").want(http.StatusOK, "You sign in at")
			b.submit(nil)
			subject, known := w.hubSubject()
			if !known || subject != w.subjectOf("alice") {
				t.Fatalf("GitHub's account is connected: %v, to hers: %v", known, subject == w.subjectOf("alice"))
			}
			again := newBrowser(t)
			again.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")
		})
	}
}

// Who says no has an account of their own, and is not asked again.
func TestLinkByEmail_ANewAccount(t *testing.T) {
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) {
			w := newAddressed(t, portal, "alice@example.com", true, "github")
			newBrowser(t).get(w.siteURL("app")+deepURL).signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
			b := newBrowser(t)
			b.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "Do you have an account here?")
			b.follow("Make a new account").want(http.StatusOK, "hello ")
			if b.last.Request.URL.RequestURI() != deepURL {
				t.Errorf("it leads to %s", b.last.Request.URL)
			}
			if subject, known := w.hubSubject(); !known || subject == w.subjectOf("alice") {
				t.Error("there is no account of their own")
			}
			newBrowser(t).get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")
		})
	}
}

// Nobody is asked without the option, by an address that is not verified, or by a provider
// that is not named.
func TestLinkByEmail_NobodyElseIsAsked(t *testing.T) {
	for name, w := range map[string]hubbed{
		"without the option": newAddressed(t, true, "alice@example.com", true),
		"another provider":   newAddressed(t, true, "alice@example.com", true, "local"),
		"not verified":       newAddressed(t, true, "alice@example.com", false, "github"),
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			newBrowser(t).get(w.siteURL("app")+deepURL).signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
			newBrowser(t).get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")
		})
	}
}

// What a newcomer is answered does not tell whose addresses are known here: a provider
// may call an address verified that is not its user's (CWE-204).
func TestLinkByEmail_TellsNobodyWhoIsKnown(t *testing.T) {
	var said []string
	for _, address := range []string{"alice@example.com", "carol@example.com"} {
		w := newAddressed(t, true, address, true, "github")
		var known []any
		config := w.gateway.Config
		config.Events = func(_ context.Context, name string, attrs ...slog.Attr) {
			if name == "link_offered" {
				known = append(known, attrs[1].Value.Any())
			}
		}
		var err error
		if w.world.gateway, err = flows.New(config); err != nil {
			t.Fatal(err)
		}
		newBrowser(t).get(w.siteURL("app")+deepURL).signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
		b := newBrowser(t)
		b.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "Do you have an account here?")
		said = append(said, regexp.MustCompile(`href="[^"]*"|nonce="[^"]*"`).ReplaceAllString(b.body, ""))
		if strings.Contains(b.body, address) || len(known) != 1 || known[0] != (address == "alice@example.com") {
			t.Errorf("%s: the operator is told %v", address, known)
		}
		b.follow("Make a new account").want(http.StatusOK, "hello ")
	}
	if said[0] != said[1] {
		t.Errorf("who is known is told\n%s\nand who is not\n%s", said[0], said[1])
	}
}

// A link names the provider's issuer: a block that is renamed takes nobody's account.
func TestLink_SurvivesARenamedBlock(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		b := w.arrives("alice", "wonderland")
		w.links(b).want(http.StatusOK, "hello alice")
		config := w.gateway.Config
		config.Providers = []provider.Provider{config.Providers[0], hubNamed(t, w.hub, "octo", w.clock.now)}
		config.Vault = nil
		var err error
		if w.gateway, err = flows.New(config); err != nil {
			t.Fatal(err)
		}
		w.passes = ""
		by := newBrowser(t)
		by.get(w.siteURL("app") + deepURL)
		by.follow("GitHub").want(http.StatusOK, "hello ")
		if subject, known := w.hubSubject(); !known || subject != w.subjectOf("alice") {
			t.Error("the account belongs to somebody else now")
		}
		home := w.siteURL("app") + "/.gatehouse/"
		if w.gateway.HasPortal() {
			home = w.portalURL() + "/"
		}
		by.get(home).want(http.StatusOK, "used now")
		if strings.Contains(by.body, "/link?"+url.Values{"provider": {"octo"}}.Encode()) {
			t.Error("the page offers to connect what is connected")
		}
	})
}

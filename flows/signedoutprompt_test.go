package flows_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// moody is a provider that does not take every prompt. It answers, where people are
// sent to, with an error of a code of its choice; "html" is an error page, from which
// nobody comes back.
type moody struct {
	provider.Redirect
	front   *httptest.Server
	answers map[string]string // by prompt

	mu    sync.Mutex
	asked []url.Values
}

func newMoody(t *testing.T, p provider.Redirect, answers map[string]string) *moody {
	t.Helper()
	m := &moody{Redirect: p, answers: answers}
	m.front = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.front.Close)
	return m
}

// AuthURL leads through the part of the provider that judges the request.
func (m *moody) AuthURL(ctx context.Context, r provider.AuthRequest) (string, error) {
	real, err := m.Redirect.AuthURL(ctx, r)
	if err != nil {
		return "", err
	}
	return "http://moody.test" + port(m.front) + "/?" + url.Values{"real": {real}}.Encode(), nil
}

func (m *moody) serve(w http.ResponseWriter, r *http.Request) {
	real, _ := url.Parse(r.URL.Query().Get("real"))
	asked := real.Query()
	m.mu.Lock()
	m.asked = append(m.asked, asked)
	m.mu.Unlock()
	code, refuses := m.answers[asked.Get("prompt")]
	switch {
	case !refuses:
		http.Redirect(w, r, real.String(), http.StatusSeeOther)
	case code == "html":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "an error page of the provider's")
	default:
		answer := url.Values{"state": {asked.Get("state")}}
		if code != "" {
			answer.Set("error", code)
		}
		http.Redirect(w, r, asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusSeeOther)
	}
}

// prompts are those that were asked for since the last call.
func (m *moody) prompts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, q := range m.asked {
		all = append(all, q.Get("prompt"))
	}
	m.asked = nil
	return all
}

// tabsPassed is longer than tabs that open together take.
const tabsPassed = 11 * time.Second

func nobody(identity.Claims) bool { return false }

// moodyWorlds are two worlds whose provider does not take every prompt.
func moodyWorlds(t *testing.T, o worldOptions, answers map[string]string) (rp *world, m *moody) {
	t.Helper()
	_, rp = twoWorldsWrapped(t, o, func(p provider.Redirect) provider.Provider {
		m = newMoody(t, p, answers)
		return m
	})
	return rp, m
}

// TestSignedOut_APromptLocksNobodyOut: pocket-id#1442, logto#6921. A provider that
// does not take select_account must not keep out whoever has signed out; nor may they
// be signed in without a word.
func TestSignedOut_APromptLocksNobodyOut(t *testing.T) {
	codes := []string{
		"invalid_request", "login_required", "interaction_required", "account_selection_required", "consent_required",
		"unmet_authentication_requirements", "server_error", "temporarily_unavailable", "x_unknown", "", "html",
	}
	for _, mode := range []string{"single site", "portal, signed out at the site", "portal, signed out at the portal"} {
		for _, code := range codes {
			t.Run(mode+": "+code, func(t *testing.T) {
				rp, m := moodyWorlds(t, worldOptions{portal: mode != "single site"}, map[string]string{"select_account": code})
				b := newBrowser(t)
				b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
				logout := rp.siteURL("app") + "/.gatehouse/logout"
				if mode == "portal, signed out at the portal" {
					logout = rp.portalURL() + "/logout"
				}
				b.get(logout).submit(nil).want(200, "You are signed out")
				m.prompts()
				b.get(rp.siteURL("app") + "/page?a=1")
				if code == "html" {
					b.want(http.StatusBadRequest, "an error page of the provider's")
					b.get(rp.siteURL("app") + "/page?a=1")
				}
				b.want(200, `name="password"`) // no silent sign-in
				if got := m.prompts(); !slices.Equal(got, []string{"select_account", "login"}) {
					t.Errorf("asked for prompts %q", got)
				}
				b.signIn("alice", "wonderland").want(200, "hello alice@example.com at /page?a=1")
				// The sign-out is forgotten: another sign-in is like the first.
				b.get(logout).submit(nil).want(200, "You are signed out")
				b.get(rp.siteURL("app") + "/")
				if got := m.prompts(); got[0] != "select_account" {
					t.Errorf("asked for prompts %q", got)
				}
			})
		}
	}
}

// Where a provider takes neither prompt, the person says so by a click, since it would
// sign them in as before without a word.
func TestSignedOut_NoPromptIsTaken(t *testing.T) {
	for _, portal := range []bool{false, true} {
		for _, code := range []string{"invalid_request", "html"} {
			t.Run(code, func(t *testing.T) {
				rp, m := moodyWorlds(t, worldOptions{portal: portal}, map[string]string{"select_account": code, "login": code})
				b := newBrowser(t)
				b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
				b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
				m.prompts()
				b.get(rp.siteURL("app") + "/page")
				if code == "html" {
					b.get(rp.siteURL("app")+"/page").want(http.StatusBadRequest, "an error page")
					// Tabs that are opened together are all sent to the provider.
					b.get(rp.siteURL("app")+"/page").want(http.StatusBadRequest, "an error page")
					rp.clock.advance(tabsPassed)
					b.get(rp.siteURL("app") + "/page")
				}
				b.want(200, "let you choose an account")
				if got := m.prompts(); slices.Contains(got, "") || len(got) < 2 {
					t.Errorf("asked for prompts %q", got)
				}
				b.follow("Continue with")
				if portal { // on this host the two portals' cookies are one
					b.want(200, `name="password"`).signIn("alice", "wonderland")
				}
				b.want(200, "hello alice@example.com at /page")
			})
		}
	}
}

// The link of the page after a sign-out goes the same way.
func TestSignedOut_TheLinkToSignInAgain(t *testing.T) {
	rp, m := moodyWorlds(t, worldOptions{}, map[string]string{"select_account": "invalid_request"})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
	m.prompts()
	b.follow("Sign in").want(200, `name="password"`)
	if got := m.prompts(); !slices.Equal(got, []string{"select_account", "login"}) {
		t.Errorf("asked for prompts %q", got)
	}
}

// Whoever cancels at the provider has decided, and is not sent there again.
func TestSignedOut_ACancelledSignInIsNotRepeated(t *testing.T) {
	rp, m := moodyWorlds(t, worldOptions{}, map[string]string{"select_account": "access_denied"})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
	m.prompts()
	b.get(rp.siteURL("app")+"/").want(403, "cancelled or refused")
	if got := m.prompts(); !slices.Equal(got, []string{"select_account"}) {
		t.Errorf("asked for prompts %q", got)
	}
	b.follow("Try again").want(200, `name="password"`) // by login
}

// hinting is a provider whose metadata name its prompts.
type hinting struct {
	*moody
	takes []string
}

func (p hinting) TakesPrompt(_ context.Context, prompt string) bool {
	return slices.Contains(p.takes, prompt)
}

// What the provider's metadata do not name is not tried (OpenID Connect Prompt
// Create, section 4: prompt_values_supported).
func TestSignedOut_PromptsThatTheMetadataName(t *testing.T) {
	for name, c := range map[string]struct{ takes, want []string }{
		"login alone":   {[]string{"none", "login"}, []string{"login"}},
		"no such thing": {[]string{"none", "consent"}, nil},
		"all":           {[]string{"login", "select_account"}, []string{"select_account"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m *moody
			_, rp := twoWorldsWrapped(t, worldOptions{}, func(p provider.Redirect) provider.Provider {
				m = newMoody(t, p, nil)
				return hinting{m, c.takes}
			})
			b := newBrowser(t)
			b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
			b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
			m.prompts()
			b.get(rp.siteURL("app") + "/")
			if got := m.prompts(); !slices.Equal(got, c.want) {
				t.Errorf("asked for prompts %q, want %q", got, c.want)
			}
			if c.want == nil {
				b.follow("Continue with")
			} else {
				b.want(200, `name="password"`).signIn("alice", "wonderland")
			}
			b.want(200, "hello alice")
		})
	}
}

// What a client asked for is never dropped or replaced, and what it asked for beside
// a prompt of ours goes along each time (OpenID Connect Core, section 3.1.2.1).
func TestSignedOut_WhatAClientAsksForStays(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(url.Values)
		refused string
		want    []string
	}{
		"prompt=login":           {set("prompt", "login"), "login", []string{"login"}},
		"prompt=select_account":  {set("prompt", "select_account"), "select_account", []string{"select_account"}},
		"max_age and acr_values": {func(v url.Values) { v.Set("max_age", "300"); v.Set("acr_values", "urn:strong") }, "select_account", []string{"select_account", "login"}},
		"prompt=consent":         {set("prompt", "consent"), "select_account", []string{"select_account", "login"}},
	} {
		t.Run(name, func(t *testing.T) {
			rp, m := moodyWorlds(t, worldOptions{portal: true, clients: oauthClients()}, map[string]string{c.refused: "invalid_request"})
			b := newBrowser(t)
			b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
			b.get(rp.portalURL()+"/logout").submit(nil).want(200, "You are signed out")
			m.prompts()
			b.get(rp.portalURL() + "/authorize?" + with(authorizeParams("web", "https://web.test/cb", "openid"), c.change).Encode())
			m.mu.Lock()
			for _, q := range m.asked {
				if name == "max_age and acr_values" && (q.Get("max_age") != "300" || q.Get("acr_values") != "urn:strong") {
					t.Errorf("asked without what the client wants: %v", q)
				}
			}
			m.mu.Unlock()
			if got := m.prompts(); !slices.Equal(got, c.want) {
				t.Errorf("asked for prompts %q, want %q", got, c.want)
			}
			if len(c.want) == 1 {
				b.want(403, "")
			}
		})
	}
}

// Somebody who is let in with none of their accounts may choose another as often as
// they like: a provider that comes back with a code took the prompt.
func TestSignedOut_AnotherAccountEachTime(t *testing.T) {
	var m *moody
	_, rp := twoWorldsWrapped(t, worldOptions{admit: nobody}, func(p provider.Redirect) provider.Provider {
		m = newMoody(t, p, nil)
		return m
	})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(403, "allowed in here")
	for range 3 {
		m.prompts()
		b.follow("another account").want(200, `name="password"`)
		if got := m.prompts(); !slices.Equal(got, []string{"select_account"}) {
			t.Errorf("asked for prompts %q", got)
		}
		b.signIn("alice", "wonderland").want(403, "allowed in here")
	}
}

// Nothing of what the browser remembers reaches an application.
func TestSignedOut_TheAppSeesNoneOfIt(t *testing.T) {
	rp, _ := moodyWorlds(t, worldOptions{}, map[string]string{"select_account": "html"})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(rp.siteURL("app") + "/.gatehouse/logout").submit(nil)
	b.get(rp.siteURL("app") + "/")
	site, _ := url.Parse(rp.siteURL("app") + "/.gatehouse/login")
	names := make([]string, 0, 4)
	for _, c := range b.Jar.Cookies(site) {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "gatehouse-asked") {
		t.Errorf("cookies %s", got)
	}
	app, _ := url.Parse(rp.siteURL("app") + "/")
	for _, c := range b.Jar.Cookies(app) {
		if strings.HasPrefix(c.Name, "gatehouse-asked") {
			t.Errorf("the app is sent %s", c.Name)
		}
	}
}

// Whoever signed out at one site has signed out at all, and is not signed in without a
// word at another, nor at the portal's own pages.
func TestSignedOut_AtAnotherSite(t *testing.T) {
	for name, open := range map[string]func(rp *world) string{
		"another site": func(rp *world) string { return rp.siteURL("second") + "/" },
		"a client": func(rp *world) string {
			return rp.portalURL() + "/authorize?" + authorizeParams("web", "https://web.test/cb", "openid").Encode()
		},
		"the page for devices": func(rp *world) string { return rp.portalURL() + "/device" },
	} {
		t.Run(name, func(t *testing.T) {
			rp, m := moodyWorlds(t, worldOptions{portal: true, clients: oauthClients()}, nil)
			b := newBrowser(t)
			b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
			b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
			m.prompts()
			b.get(open(rp)).want(200, `name="password"`)
			if got := m.prompts(); !slices.Equal(got, []string{"select_account"}) {
				t.Errorf("asked for prompts %q", got)
			}
		})
	}
}

package flows_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
)

// withholds is a provider that will not say who somebody is.
type withholds struct{ provider.Redirect }

func (p withholds) Exchange(context.Context, provider.Callback) (provider.Result, error) {
	return provider.Result{}, fmt.Errorf("provider %s: user_claim department is missing: %w", p.Name(), provider.ErrWithheld)
}

// changingPolicy are oauthClients whose policy lets in those names alone.
func changingPolicy(names *[]string) []*client.Client {
	all := oauthClients()
	for _, c := range all {
		c.Policy = &changing{names: names}
	}
	return all
}

// changing is a policy whose line is edited.
type changing struct{ names *[]string }

func (p *changing) now() *policy.Policy {
	return &policy.Policy{Name: "staff", Allow: []policy.Rule{{User: *p.names}}}
}
func (p *changing) Allows(id *identity.Identity) bool { return p.now().Allows(id) }

const (
	webCallback = "https://web.test/cb"
	webSecret   = "web-secret-of-enough-length"
)

// offlineTokens are alice's, for the client web.
func (w *world) offlineTokens() answer {
	w.t.Helper()
	code := w.code(w.signedInBrowser(), authorizeParams("web", webCallback, "openid offline_access"))
	got := app{w.t, w, "web", webSecret}.post("token", redeem(code))
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %v", got.status, got.body)
	}
	return got
}

// says checks that an answer is an error, described in words.
func (a answer) says(t *testing.T, code, text string) {
	t.Helper()
	if a.text("error") != code || a.text("error_description") == "" || !strings.Contains(a.text("error_description"), text) {
		t.Errorf("%d %v, want %s with %q", a.status, a.body, code, text)
	}
}

// TestRefusals_OfEveryKindAreLogged: whichever way a request ends, whoever runs the
// gateway finds a line of who, where, why and what to do, and whoever is refused an
// answer that they understand (authelia#3684, oauth2-proxy#1012, pomerium#2010: "403
// and nothing in the log").
func TestRefusals_OfEveryKindAreLogged(t *testing.T) {
	portal := func(t *testing.T, clients []*client.Client) *world {
		return newWorld(t, worldOptions{portal: true, clients: clients})
	}
	for name, c := range map[string]struct {
		provoke func(t *testing.T) *world
		line    string
		fields  []string
	}{
		"a device, denied": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				started := w.call("device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}})
				w.approve(started, "alice", "wonderland", "deny").want(http.StatusOK, "")
				w.call("token", pollForm(started)).says(t, "access_denied", "was refused")
				return w
			},
			line: "a client was refused", fields: []string{"client_id=cli", "error=access_denied", "reason=", "reference=", "cure="},
		},
		"a device, denied, of that": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				w.approve(w.call("device_authorization", url.Values{"client_id": {"cli"}}), "alice", "wonderland", "deny").want(http.StatusOK, "")
				return w
			},
			line: "device answered", fields: []string{"approved=false", "client_id=cli", "user=alice"},
		},
		"a device, by the client's policy": {
			provoke: func(t *testing.T) *world {
				w := portal(t, deviceClients())
				started := w.call("device_authorization", url.Values{"client_id": {"alices"}})
				w.approve(started, "bob", "builder", "approve").want(http.StatusForbidden, "")
				return w
			},
			line: "policy refuses a device", fields: []string{"client_id=alices", "user=bob", "provider=local", `rules="client alices"`, "cure="},
		},
		"a device, expired": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				started := w.call("device_authorization", url.Values{"client_id": {"cli"}})
				w.clock.advance(11 * time.Minute)
				w.call("token", pollForm(started)).says(t, "expired_token", "start again")
				return w
			},
			line: "a client was refused", fields: []string{"client_id=cli", "error=expired_token", "cure="},
		},
		"a device, answered too late": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := newBrowser(t)
				b.get(w.call("device_authorization", url.Values{"client_id": {"cli"}}).answer.text("verification_uri_complete")).signIn("alice", "wonderland")
				w.clock.advance(10*time.Minute - time.Second)
				late := w.call("device_authorization", url.Values{"client_id": {"cli"}})
				b.open(late.answer.text("verification_uri_complete")).want(http.StatusOK, late.answer.text("user_code"))
				w.clock.advance(10 * time.Minute)
				b.submit(url.Values{"decision": {"approve"}}).want(http.StatusForbidden, "too old")
				return w
			},
			line: "a device was not approved", fields: []string{"client_id=cli", "reason=", "client_ip="},
		},
		"a device, slow_down without end": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				started := w.call("device_authorization", url.Values{"client_id": {"cli"}})
				for range 20 {
					w.call("token", pollForm(started))
				}
				if n := strings.Count(w.logs.String(), "polls faster than it is told"); n != 1 {
					t.Errorf("it is said %d times", n)
				}
				return w
			},
			line: "polls faster than it is told", fields: []string{"client_id=cli", "client_ip=", "cure="},
		},
		"a device, by a code that nobody has": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := newBrowser(t)
				b.get(w.portalURL()+"/device").signIn("alice", "wonderland")
				b.submit(url.Values{"user_code": {"BCDF-GHJK"}}).want(http.StatusNotFound, "That code is not known")
				return w
			},
			line: "wrong user code", fields: []string{"user=alice", "client_ip="},
		},
		"a refresh, by the client's policy": {
			provoke: func(t *testing.T) *world {
				names := []string{"alice"}
				w := portal(t, changingPolicy(&names))
				got := w.offlineTokens()
				names[0] = "carol"
				app{t, w, "web", webSecret}.post("token", refreshForm(got)).says(t, "invalid_grant", "")
				return w
			},
			line: "policy refuses a refresh", fields: []string{"client_id=web", "user=alice", "provider=local", `rules="client web"`, "cure="},
		},
		"a refresh, of a suspended account": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				got := w.offlineTokens()
				_, claims := claimsOf(t, got.text("id_token"))
				if err := w.store.Suspend(t.Context(), claims["sub"].(string), true); err != nil {
					t.Fatal(err)
				}
				app{t, w, "web", webSecret}.post("token", refreshForm(got)).says(t, "invalid_grant", "")
				return w
			},
			line: "a client was refused", fields: []string{"client_id=web", "error=invalid_grant", "suspended", "cure="},
		},
		"a refresh, by another client": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.offlineTokens().text("refresh_token")}}
				app{t, w, "other", "other-secret-of-enough-length"}.post("token", form).says(t, "invalid_grant", "")
				return w
			},
			line: "a client was refused", fields: []string{"client_id=other", "error=invalid_grant", "another client", "cure="},
		},
		"a refresh token, once too often": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				form := refreshForm(w.offlineTokens())
				web := app{t, w, "web", webSecret}
				web.post("token", refreshForm(web.post("token", form)))
				w.clock.advance(2 * time.Minute)
				web.post("token", form).says(t, "invalid_grant", "")
				return w
			},
			line: "refresh token was reused", fields: []string{"client_id=web", "session=", "client_ip="},
		},
		"a code, twice": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				code := w.code(w.signedInBrowser(), authorizeParams("web", webCallback, "openid"))
				web := app{t, w, "web", webSecret}
				first := web.post("token", redeem(code))
				wantEndedByReplay(t, "the client", func() answer { return web.post("token", redeem(code)) }, func() bool {
					return web.post("introspect", url.Values{"token": {first.text("access_token")}}).body["active"] == true
				})
				return w
			},
			line: "authorization code was used twice", fields: []string{"client_id=web", "session="},
		},
		"a code, by another client": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				code := w.code(w.signedInBrowser(), authorizeParams("web", webCallback, "openid"))
				app{t, w, "other", "other-secret-of-enough-length"}.post("token", redeem(code)).says(t, "invalid_grant", "")
				return w
			},
			line: "a client was refused", fields: []string{"client_id=other", "error=invalid_grant", "endpoint=/token", "cure="},
		},
		"a code, of a policy that has changed": {
			provoke: func(t *testing.T) *world {
				names := []string{"alice"}
				w := portal(t, changingPolicy(&names))
				code := w.code(w.signedInBrowser(), authorizeParams("web", webCallback, "openid"))
				names[0] = "carol"
				app{t, w, "web", webSecret}.post("token", redeem(code)).says(t, "invalid_grant", "")
				return w
			},
			line: "policy refuses", fields: []string{"client_id=web", "user=alice", "provider=local", `rules="client web"`, "cure="},
		},
		"an exchange, by a client that may not": {
			provoke: func(t *testing.T) *world {
				w := newHubbed(t, true, exchangers()...)
				b := newBrowser(t)
				w.opens(b, 1)
				nosy := app{t, w.world, "nosy", batchSecret}
				nosy.post("token", exchange(w.accessTokenOf(b, nosy, "https://nosy.test/cb", "openid", nil))).says(t, "unauthorized_client", "may not use this grant type")
				return w.world
			},
			line: "a client was refused", fields: []string{"client_id=nosy", "error=unauthorized_client", "cure="},
		},
		"an exchange, of a token that is nobody's": {
			provoke: func(t *testing.T) *world {
				w := newHubbed(t, true, exchangers()...)
				app{t, w.world, "batch", batchSecret}.post("token", exchange("x.y.z")).says(t, "invalid_request", "")
				return w.world
			},
			line: "a client was refused", fields: []string{"client_id=batch", "error=invalid_request", "reason=", "cure="},
		},
		"a recheck, by the provider": {
			provoke: func(t *testing.T) *world {
				_, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
				newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
				token := kept(t, gateway.Vault)
				rp.clock.advance(time.Minute)
				if err := gateway.Vault.Refused(t.Context(), token.Subject, token.Provider, rp.clock.now()); err != nil {
					t.Fatal(err)
				}
				return rp
			},
			line: "sign-in has ended at the provider", fields: []string{"provider=outside", "subject=", "reason=refused", "cure="},
		},
		"a suspended account": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				newBrowser(t).get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
				if err := w.store.Suspend(t.Context(), hubbed{w, nil}.subjectOf("alice"), true); err != nil {
					t.Fatal(err)
				}
				newBrowser(t).get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusForbidden, "This account is suspended")
				return w
			},
			line: "sign-in refused", fields: []string{"suspended", "client_id=one.sites.test", "provider=local", "user=alice", "cure=\"subjects resume"},
		},
		"a link, of somebody else's account": {
			provoke: func(t *testing.T) *world {
				w := newLinking(t, true)
				w.links(w.arrives("alice", "wonderland"))
				w.links(w.arrives("bob", "builder")).want(http.StatusConflict, "belongs to somebody else here")
				return w.world
			},
			line: "an identity was not linked", fields: []string{"provider=github", "user=bob", "reason=identity_taken", "message="},
		},
		"a provider's error": {
			provoke: func(t *testing.T) *world {
				_, rp := twoWorlds(t, nil)
				b := newBrowser(t)
				answered := changedQuery(t, stopAtCallback(t, b, rp), func(q url.Values) { q.Del("code"); q.Set("error", "unauthorized_client") })
				b.get(answered).want(http.StatusForbidden, "did not accept our request")
				return rp
			},
			line: "provider refused the sign-in", fields: []string{"provider=outside", "client_id=app.sites.test", "code=unauthorized_client", "cure="},
		},
		"a provider's cancel": {
			provoke: func(t *testing.T) *world {
				_, rp := twoWorlds(t, nil)
				b := newBrowser(t)
				answered := changedQuery(t, stopAtCallback(t, b, rp), func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") })
				b.get(answered).want(http.StatusForbidden, "was cancelled or refused")
				return rp
			},
			line: "provider refused the sign-in", fields: []string{"provider=outside", "code=access_denied", "cure="},
		},
		"an answer of no sign-in": {
			provoke: func(t *testing.T) *world {
				_, rp := twoWorlds(t, nil)
				b := newBrowser(t)
				b.get(changedQuery(t, stopAtCallback(t, b, rp), func(q url.Values) { q.Del("state") })).want(http.StatusBadRequest, "started in another browser")
				return rp
			},
			line: "callback refused", fields: []string{"reason=", "path=/.gatehouse/callback/outside", "client_ip="},
		},
		"a claim that is missing": {
			provoke: func(t *testing.T) *world {
				_, rp := twoWorldsWrapped(t, worldOptions{}, func(p provider.Redirect) provider.Provider { return withholds{p} })
				newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusForbidden, "won&#39;t tell us who you are")
				return rp
			},
			line: "provider's answer was refused", fields: []string{"provider=outside", "client_id=app.sites.test", "user_claim department", "cure="},
		},
		"an address that is not verified": {
			provoke: func(t *testing.T) *world {
				never := func(identity.Claims) bool { return false }
				_, rp := twoWorldsWrapped(t, worldOptions{admit: never}, func(p provider.Redirect) provider.Provider { return unverifies{p} })
				newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusForbidden, "your e-mail address is verified")
				return rp
			},
			line: "sign-in not allowed", fields: []string{"provider=outside", `rule="the rule of the test"`, "trust_email DOMAIN"},
		},
		"a stale page of the sign-in": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := newBrowser(t).get(w.siteURL("one")+"/").want(http.StatusOK, "password")
				w.clock.advance(2 * time.Hour)
				b.signIn("alice", "wonderland").want(http.StatusBadRequest, "Please start again")
				return w
			},
			line: "answered too late", fields: []string{"client_id=one.sites.test", "reason=", "host=portal.test", "path=/login", "cure="},
		},
		"a link that was cut": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				newBrowser(t).get(w.portalURL()+"/signin?request=abc").want(http.StatusBadRequest, "its address is incomplete")
				return w
			},
			line: "answered too late", fields: []string{"reason=", "path=/signin", "client_ip="},
		},
		"a link that cannot be read": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				newBrowser(t).get(w.portalURL()+"/signin?request=%zz").want(http.StatusBadRequest, "cannot be read")
				return w
			},
			line: "cannot be read was refused", fields: []string{"path=/signin", "host=portal.test"},
		},
		"a consent of another session": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := w.signedInBrowser()
				b.get(w.portalURL()+"/authorize?"+authorizeParams("other", "https://other.test/cb", "openid").Encode()).want(http.StatusOK, "other")
				asked := b.form(url.Values{"decision": {"approve"}})
				b.Jar = newBrowser(t).Jar
				b.do(asked).want(http.StatusBadRequest, "Please start again")
				return w
			},
			line: "answered too late", fields: []string{"client_id=other", "consent", "path=/consent"},
		},
		"a password, too often": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := newBrowser(t).get(w.siteURL("one")+"/").want(http.StatusOK, "password")
				for range 11 {
					b.signIn("alice", "x")
				}
				b.want(http.StatusTooManyRequests, "Too many attempts")
				return w
			},
			line: "after too many that failed", fields: []string{"client_id=one.sites.test", "client_ip=", "cure="},
		},
		"a token at a site that it is not for": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				if got := w.bearing(w.siteURL("one"), "Bearer", w.offlineTokens().text("access_token")); got != http.StatusUnauthorized && got != http.StatusOK {
					t.Errorf("%d", got)
				}
				if got := w.bearing(w.siteURL("one"), "Bearer", w.tokens(w.signedInBrowser(), set("resource", w.siteURL("two"))).answer.text("access_token")); got != http.StatusUnauthorized {
					t.Errorf("%d", got)
				}
				return w
			},
			line: "a guard refused an access token", fields: []string{"host=one.sites.test", "path=/x", "client_id=web", "user=alice", "resource=", "cure="},
		},
		"a token that is over": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				token := w.offlineTokens().text("access_token")
				w.clock.advance(time.Hour)
				if got := w.bearing(w.siteURL("one"), "Bearer", token); got != http.StatusUnauthorized {
					t.Errorf("%d", got)
				}
				return w
			},
			line: "a guard refused an access token", fields: []string{"host=one.sites.test", "reason=", "expired", "cure="},
		},
		"a token without a scope": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				w.require = &stepup.Requirement{Scope: []string{"groups"}}
				token := w.tokens(w.signedInBrowser(), set("resource", w.siteURL("one"))).answer.text("access_token")
				if got := w.send(http.MethodGet, w.siteURL("one")+"/admin/x?secret", "", "Authorization: Bearer "+token); got.status != http.StatusForbidden {
					t.Errorf("%d %s", got.status, got.text)
				}
				return w
			},
			line: "lacks a scope", fields: []string{"host=one.sites.test", "path=/admin/x", "client_id=web", "user=alice", `rule="require scope groups"`, "cure="},
		},
		"a page of another site": {
			provoke: func(t *testing.T) *world {
				w := portal(t, oauthClients())
				b := newBrowser(t)
				b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("one")+"/socket", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Connection", "Upgrade")
				req.Header.Set("Upgrade", "websocket")
				req.Header.Set("Origin", "https://evil.test")
				b.do(req).want(http.StatusForbidden, "may not open WebSockets here")
				return w
			},
			line: "what a page of another site sends", fields: []string{"host=one.sites.test", "path=/socket", "user=alice", "origin=https://evil.test", "cure="},
		},
		"no token of a provider for a program": {
			provoke: func(t *testing.T) *world {
				w := newHubbed(t, true, oauthClients()...)
				program := app{t, w.world, "web", webSecret}.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}})
				if got := w.bearing(w.siteURL("app"), "Bearer", program.text("access_token")); got != http.StatusForbidden {
					t.Errorf("%d", got)
				}
				return w.world
			},
			line: "a guard refused a program", fields: []string{"host=app.sites.test", "client_id=web", "provider=github", "cure="},
		},
	} {
		t.Run(name, func(t *testing.T) {
			logs := c.provoke(t).logs.String()
			var lines []string
			for line := range strings.Lines(logs) {
				if strings.Contains(line, c.line) {
					lines = append(lines, line)
				}
			}
			if !slices.ContainsFunc(lines, func(line string) bool {
				return !slices.ContainsFunc(c.fields, func(f string) bool { return !strings.Contains(line, f) })
			}) {
				t.Errorf("no line %q has %q:\n%s", c.line, c.fields, logs)
			}
			for _, secret := range []string{"wonderland", "builder", webSecret, "?secret", "gtr_", "eyJ"} {
				if strings.Contains(logs, secret) {
					t.Errorf("the log holds %q:\n%s", secret, logs)
				}
			}
		})
	}
}

// changedQuery is an address with another query.
func changedQuery(t *testing.T, raw string, change func(url.Values)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	change(query)
	u.RawQuery = query.Encode()
	return u.String()
}

package integration_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

const userInfoPath = "/userinfo"

// aliceInIDToken is all that the configurations here look at, but for the groups.
func aliceInIDToken(groups any) openid.Claims {
	return openid.Claims{"email": "alice@example.com", "email_verified": true, "name": "Alice Liddell", "groups": groups}
}

// rulesAboutGroups are three paths of a site: one that denies a group, one that
// allows one, and one that asks for none.
func rulesAboutGroups(address, upstream string) string {
	return address + " {\n\tgatehouse /clean/* {\n\t\tallow anyone\n\t\tdeny group contractors\n\t}\n" +
		"\tgatehouse /staff/* {\n\t\tallow group staff\n\t}\n\tgatehouse\n\treverse_proxy " + upstream + "\n}\n"
}

// TestClaims_NoShapeLoosensARule (oauth2-proxy#838; Zitadel's roles): groups that
// cannot be read keep their owner out wherever a rule is about groups, at a site by
// itself and at one of a portal, and the log says what to do.
func TestClaims_NoShapeLoosensARule(t *testing.T) {
	t.Parallel()
	const issuer = "http://auth.localhost"
	p := openid.Start(t, ssoCallback, issuer+"/callback/sso")
	app := upstream.Start(t)
	for name, caddyfile := range map[string]string{
		"site":   global(ssoProvider(p)) + rulesAboutGroups(ssoSite, app.Addr),
		"portal": global("issuer "+issuer, ssoProvider(p)) + issuer + " {\n\tgatehouse_portal\n}\n" + rulesAboutGroups(ssoSite, app.Addr),
	} {
		n := gateway.Start(t, gateway.Options{Caddyfile: caddyfile})
		for _, tt := range []struct {
			what         string
			groups       any
			clean, staff int
		}{
			{"a list", []string{"staff"}, 200, 200},
			{"none", []string{}, 200, 403},
			{"a list with the denied one", []string{"staff", "contractors"}, 403, 200},
			{"objects", []any{map[string]string{"name": "contractors"}}, 403, 403},
			{"a map", map[string]any{"contractors": map[string]string{"1": "example.com"}}, 403, 403},
			{"one too long", []string{"staff", strings.Repeat("contractors", 30)}, 403, 403},
			{"one string for several", "staff,contractors", 403, 403},
			{"JSON in a string", `["contractors"]`, 403, 403},
			{"a number", 7, 403, 403},
		} {
			p.SayInIDToken(aliceInIDToken(tt.groups))
			b := newBrowser(t, n)
			signInAtProvider(t, b, ssoSite+"/", "alice")
			for path, want := range map[string]int{"/": 200, "/clean/": tt.clean, "/staff/": tt.staff} {
				page := b.Open(ssoSite + path)
				if page.Status != want {
					t.Errorf("%s: groups as %s: %s answers %d, want %d", name, tt.what, path, page.Status, want)
				}
				if said := strings.Contains(page.Text(), "your groups in a way that cannot be read here"); said != (tt.clean == 403 && tt.staff == 403 && path != "/") {
					t.Errorf("%s: groups as %s: %s says that they cannot be read: %t\n%s", name, tt.what, path, said, page.Text())
				}
			}
		}
		for _, part := range []string{`"claim":"groups"`, `"provider":"sso"`, `"cure":`, "as keys", "some of whose claims could not be read"} {
			if !strings.Contains(n.Log.Text(), part) {
				t.Errorf("%s: the log does not say %s", name, part)
			}
		}
	}
}

// TestClaims_UserInfoIsAskedForWhatIsNeeded (oauth2-proxy#1281, argo-cd#5944,
// kubelogin#1129): once, and never when all is in the ID token.
func TestClaims_UserInfoIsAskedForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{Caddyfile: global(ssoProvider(p)) + rulesAboutGroups(ssoSite, app.Addr)})
	enter := func(want int, asked int) {
		t.Helper()
		before := p.Requests(userInfoPath)
		b := newBrowser(t, n)
		wantStatus(t, login(t, b, b.Open(ssoSite+"/staff/"), "alice", openid.Password), want)
		if got := p.Requests(userInfoPath) - before; got != asked {
			t.Errorf("userinfo was asked %d times, want %d", got, asked)
		}
	}
	p.SayInIDToken(aliceInIDToken([]string{"staff"}))
	enter(http.StatusOK, 0)
	p.SayInIDToken(openid.Claims{"email": "alice@example.com", "email_verified": true})
	p.SayInUserInfo(openid.Claims{"groups": []string{"staff"}})
	enter(http.StatusOK, 1)
	if got := app.Last(t).Header; got.Get("Remote-Name") != "Alice Liddell" || got.Get("Remote-Groups") != "staff" {
		t.Errorf("the application is told %v", got)
	}
	p.SayInUserInfo(openid.Claims{"groups": []string{"staff"}, "sub": "id-bob"})
	enter(http.StatusForbidden, 1)
	p.SayInUserInfo(openid.Claims{"groups": openid.Absent})
	enter(http.StatusForbidden, 1)
	// A refusal keeps out where a rule needs what is missing, and nowhere else.
	p.RefuseUserInfo(http.StatusForbidden)
	b := newBrowser(t, n)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	page := b.Open(ssoSite + "/clean/")
	wantStatus(t, page, http.StatusForbidden)
	if !strings.Contains(page.Text(), "refuses to tell us your groups") {
		t.Errorf("the page does not say that the provider refuses:\n%s", page.Text())
	}
	if !strings.Contains(n.Log.Text(), "userinfo endpoint refuses") {
		t.Error("the log does not name userinfo")
	}
	p.RefuseUserInfo(http.StatusBadGateway)
	enter(http.StatusBadGateway, 1)
}

// TestClaims_WhatTheProviderRefusesNeedsARule (oauth2-proxy#2261, vouch#563): without
// a rule about it, somebody signs in by the provider's name for them.
func TestClaims_WhatTheProviderRefusesNeedsARule(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	s.provider.RefuseUserInfo(http.StatusForbidden)
	signInAtProvider(t, newBrowser(t, s.node), ssoSite+"/", "alice")
	if got := s.app.Last(t).Header.Get("Remote-User"); got != "sso:id-alice" {
		t.Errorf("Remote-User is %q", got)
	}
}

// TestClaims_TheRecheckReadsThemAlike: groups that become unreadable, and groups that
// are not told again, keep their owner out as at a sign-in.
func TestClaims_TheRecheckReadsThemAlike(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	p.TokensLive(3 * time.Second)
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global("session {\nrecheck 2s\n}", ssoProvider(p, "store_tokens")) + rulesAboutGroups(ssoSite, app.Addr),
	})
	p.SayInIDToken(aliceInIDToken([]string{"staff"}))
	b := newBrowser(t, n)
	signInAtProvider(t, b, ssoSite+"/clean/", "alice")
	becomes := func(what string, clean, staff int) {
		t.Helper()
		await(t, 60*time.Second, what, func() bool {
			return b.Step(ssoSite+"/clean/").Status == clean && b.Step(ssoSite+"/staff/").Status == staff
		})
		wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
		if got := app.Last(t).Header.Get("Remote-User"); got != "alice@example.com" {
			t.Errorf("after %s, Remote-User is %q", what, got)
		}
	}
	becomes("the sign-in", 200, 200)
	p.SayInIDToken(aliceInIDToken(map[string]any{"contractors": true}))
	becomes("groups of another shape", 403, 403)
	p.SayInIDToken(aliceInIDToken([]string{"dev"}))
	becomes("groups that can be read", 200, 403)
	p.SayInIDToken(aliceInIDToken(openid.Absent))
	becomes("groups that are not told", 403, 403)
	p.SayInIDToken(aliceInIDToken([]string{}))
	becomes("no groups", 200, 403)
}

// TestClaims_DeniedAddresses: an address that is written otherwise, or not verified,
// does not pass a rule that denies its domain.
func TestClaims_DeniedAddresses(t *testing.T) {
	t.Parallel()
	s := startSSO(t, "allow anyone", "deny domain evil.com")
	for address, want := range map[string]int{
		"alice@example.com": 200, "alice@evil.com": 403, "alice@EVIL.com": 403, "alice@evil.com.": 403, "alice@evil.com ": 403, "alice@\uff45vil.com": 403,
		`"alice"@evil.com`: 403, "alice@example.com@evil.com": 403,
	} {
		for _, verified := range []any{true, "true", false, openid.Absent, 1} {
			s.provider.SayInIDToken(openid.Claims{"email": address, "email_verified": verified})
			b := newBrowser(t, s.node)
			page := login(t, b, b.Open(ssoSite+"/"), "alice", openid.Password)
			if page.Status != want {
				t.Errorf("%q, verified %v: %d, want %d", address, fmt.Sprint(verified), page.Status, want)
			}
		}
	}
	s.provider.SayInIDToken(openid.Claims{"email": []string{"alice@example.com"}, "email_verified": true})
	b := newBrowser(t, s.node)
	wantStatus(t, login(t, b, b.Open(ssoSite+"/"), "alice", openid.Password), http.StatusForbidden)
}

package integration_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// startRecheck is startSSO with a provider that is asked again every few
// seconds, as it would be every hour, and whose rules let in one domain.
func startRecheck(t *testing.T) sso {
	t.Helper()
	p := openid.Start(t, ssoCallback)
	p.TokensLive(3 * time.Second)
	app := upstream.Start(t)
	secrets := new(gateway.Secrets)
	p.Learn(secrets.Learn)
	return sso{
		provider: p, app: app,
		node: gateway.Start(t, gateway.Options{
			Caddyfile: global("session {\nrecheck 2s\n}", ssoProvider(p, "store_tokens", "allow domain example.com")) + guarded(ssoSite, app.Addr, ""),
			Secrets:   secrets,
		}),
	}
}

func TestRecheck_WhatChangesAtTheProviderCounts(t *testing.T) {
	t.Parallel()
	s := startRecheck(t)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	s.provider.SetEmail("alice", "alice.liddell@example.com")
	await(t, 60*time.Second, "the other address", func() bool {
		wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
		return s.app.Last(t).Header.Get("Remote-User") == "alice.liddell@example.com"
	})
	if got := s.app.Last(t).Header.Get("Remote-Email"); got != "alice.liddell@example.com" {
		t.Errorf("Remote-Email is %q", got)
	}
	// A restarted node reads the same from the store.
	s.node.Stop(t)
	s.node.Restart(t)
	wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
	if got := s.app.Last(t).Header.Get("Remote-User"); got != "alice.liddell@example.com" {
		t.Errorf("after a restart, Remote-User is %q", got)
	}
	// Whom the rules do not let in as they are now is out.
	s.provider.SetEmail("alice", "alice@elsewhere.example")
	await(t, 60*time.Second, "the end of the session", func() bool { return !signedIn(t, b, ssoSite+"/") })
}

func TestRecheck_AProviderThatIsDownLogsNobodyOut(t *testing.T) {
	t.Parallel()
	s := startRecheck(t)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	before := s.provider.Requests(tokenPath)
	s.provider.SetDown(true)
	await(t, 60*time.Second, "two more questions", func() bool {
		wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
		return s.provider.Requests(tokenPath) >= before+2
	})
	s.provider.SetDown(false)
	issued := len(s.provider.Issued())
	await(t, 120*time.Second, "an answer", func() bool {
		wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
		return len(s.provider.Issued()) > issued
	})
}

func TestRecheck_ASignInThatEndedThereEndsHere(t *testing.T) {
	t.Parallel()
	s := startRecheck(t)
	alice, other := newBrowser(t, s.node), newBrowser(t, s.node)
	signInAtProvider(t, alice, ssoSite+"/", "alice")
	s.provider.SetEmail("bob", "bob@example.com")
	signInAtProvider(t, other, ssoSite+"/", "bob")
	s.provider.RefuseRefreshes(true)
	await(t, 60*time.Second, "the end of the session", func() bool { return !signedIn(t, alice, ssoSite+"/") })
	s.provider.RefuseRefreshes(false)
	page := login(t, alice, alice.Open(ssoSite+"/"), "alice", openid.Password)
	wantStatus(t, page, http.StatusOK)
}

func TestRecheck_AtMostOnceInTheInterval(t *testing.T) {
	t.Parallel()
	s := startRecheck(t)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	begin, before := time.Now(), s.provider.Requests(tokenPath)
	await(t, 60*time.Second, "four questions", func() bool {
		wantStatus(t, b.Step(ssoSite+"/"), http.StatusOK)
		return s.provider.Requests(tokenPath) >= before+4
	})
	// The first may have been on its way, and slow to arrive.
	if took := time.Since(begin); took < 5*time.Second {
		t.Errorf("four questions within %v, one in two seconds was allowed", took)
	}
}

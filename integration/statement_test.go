package integration_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// storesSession is in the statement that stores a session, and in no other.
const storesSession = "INSERT INTO session AS s"

const (
	faultPortal = "http://auth.localhost"
	faultSite   = "http://app.localhost"
	wantedPage  = faultSite + "/reports?year=2026"
)

// faultApps are an application that redeems codes, and a device.
const faultApps = `client app {
			public
			first_party
			redirect_uri https://app.example/cb
			grants authorization_code refresh_token
			scopes openid offline_access
		}
		client tv {
			public
			first_party
			grants device_code refresh_token
			scopes openid offline_access
		}`

// faulty is a gateway whose token store fails at the statement that stores a session.
type faulty struct {
	t      *testing.T
	node   *gateway.Node
	portal bool
	issuer string // with the path of its endpoints, without the last slash
	fault  storeFault
}

// storeFault takes the token store away in the moment in which a session is stored.
type storeFault interface {
	// begin has the next session fail.
	begin(f *faulty)
	// end has all go well again. It fails the test if no session was about to be
	// stored.
	end(f *faulty)
}

// statementFault is a Postgres behind a proxy that knows the statement.
type statementFault struct {
	proxy *faultproxy.Postgres
	fault faultproxy.Fault
	trap  *faultproxy.Trap
}

func (s *statementFault) begin(*faulty) { s.trap = s.proxy.Set(1, s.fault, storesSession) }

func (s *statementFault) end(f *faulty) {
	f.t.Helper()
	s.proxy.Set(0, s.fault, storesSession)
	s.proxy.Heal()
	if s.trap.Sprung() == 0 {
		f.t.Fatal("no session was about to be stored")
	}
}

// faultyPair are two such gateways: one whose people sign in by a password, and one
// where they do so at a provider.
type faultyPair struct{ local, sso *faulty }

// startFaulty starts both, each with a portal, or with a site for itself.
func startFaulty(t *testing.T, portal bool, store string, env []string) faultyPair {
	t.Helper()
	start := func(provider func(issuer string) string) *faulty {
		f := &faulty{portal: portal, issuer: faultSite + "/.gatehouse"}
		lines, rest := []string{store, faultApps}, ""
		if portal {
			f.issuer = faultPortal
			lines = append(lines, "issuer "+faultPortal)
			rest = faultPortal + " {\n\tgatehouse_portal\n}\n"
		}
		f.node = gateway.Start(t, gateway.Options{
			Caddyfile: global(append(lines, provider(f.issuer))...) + rest + guarded(faultSite, upstreamAddr(t), ""), Env: env,
		})
		return f
	}
	return faultyPair{
		local: start(func(string) string { return localUsers(t) }),
		sso:   start(func(issuer string) string { return ssoProvider(openid.Start(t, issuer+"/callback/sso")) }),
	}
}

// again does what pages that say so tell, until there is another one.
func (f *faulty) again(b *browser.Browser, page *browser.Page, way string) *browser.Page {
	f.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); page.Status == http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			f.t.Fatalf("told to try again without end:\n%s%s", page.Path(), page.Text())
		}
		if text := page.Text(); strings.Contains(strings.ToLower(text), "cookie") || page.Header.Get("Retry-After") == "" {
			f.t.Errorf("told to try again by %v: %s", page.Header, text)
		}
		if way == "reload" {
			page = b.Open(page.URL.String())
			continue
		}
		address := page.Links()["Try again"]
		if address == "" {
			f.t.Fatalf("nothing to try again with:\n%s%s", page.Path(), page.Text())
		}
		page = b.Open(address)
	}
	return page
}

// lands checks that somebody is signed in at the page that was wanted.
func (f *faulty) lands(b *browser.Browser, page *browser.Page) {
	f.t.Helper()
	if page.Status != http.StatusOK || page.URL.String() != wantedPage {
		f.t.Fatalf("landed on %s with %d:\n%s%s", page.URL, page.Status, page.Path(), page.Text())
	}
	if !signedIn(f.t, b, faultSite+"/more") {
		f.t.Error("not signed in afterwards")
	}
}

// token asks the token endpoint.
func (f *faulty) token(p program, form url.Values) grant {
	f.t.Helper()
	resp, err := p.PostForm(f.issuer+"/token", form)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		f.t.Error("no Retry-After")
	}
	return readGrant(f.t, p, resp)
}

// redeems presents a code during the fault, and again afterwards, which must get
// tokens that are good.
func (f *faulty) redeems(p program, form url.Values) grant {
	f.t.Helper()
	f.fault.begin(f)
	got := f.token(p, form)
	f.fault.end(f)
	if got.status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
		f.t.Fatalf("during the outage: %d %s", got.status, got.Error)
	}
	for deadline := time.Now().Add(30 * time.Second); got.status == http.StatusServiceUnavailable && time.Now().Before(deadline); {
		got = f.token(p, form)
	}
	if got.status != http.StatusOK || got.Refresh == "" {
		f.t.Fatalf("after the outage: %d %s", got.status, got.Error)
	}
	refresh := refreshForm(got.Refresh)
	refresh.Set("client_id", form.Get("client_id"))
	if got = f.token(p, refresh); got.status != http.StatusOK {
		f.t.Fatalf("the refresh token is not good: %d %s", got.status, got.Error)
	}
	return got
}

// outlives checks an authorization code, a device code, a hand-over, a provider's
// answer and a password. slow faults are those that the gateway waits for.
func (w faultyPair) outlives(t *testing.T, fault storeFault, slow bool) {
	t.Helper()
	with := func(f *faulty, do func(*faulty)) func(*testing.T) {
		return func(t *testing.T) {
			of := *f
			of.t, of.fault = t, fault
			do(&of)
		}
	}
	t.Run("an authorization code", with(w.local, (*faulty).code))
	t.Run("a device code", with(w.local, (*faulty).device))
	ways := []string{"reload", "button"}
	if slow {
		ways = ways[:1]
	}
	for _, way := range ways {
		t.Run("a password, "+way, with(w.local, func(f *faulty) { f.password(way) }))
		t.Run("a provider's answer, "+way, with(w.sso, func(f *faulty) { f.callback(way) }))
		if w.local.portal {
			t.Run("a hand-over, "+way, with(w.local, func(f *faulty) { f.handover(way) }))
		}
	}
}

func (f *faulty) code() {
	b := newBrowser(f.t, f.node)
	signIn(f.t, b, wantedPage, "alice", alicePassword)
	p := newProgram(f.t, f.node)
	verifier := oauth2.GenerateVerifier()
	b.StopAt("/cb")
	page := b.Open(f.issuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"https://app.example/cb"}, "scope": {"openid offline_access"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	b.StopAt("")
	if page.Next() == nil {
		f.t.Fatalf("no code:\n%s%s", page.Path(), page.Text())
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": page.Next().Query()["code"],
		"redirect_uri": {"https://app.example/cb"}, "code_verifier": {verifier},
	}
	got := f.redeems(p, form)
	// A replay is refused, and ends what was issued (RFC 6749, section 4.1.2).
	if again := f.token(p, form); again.Error != "invalid_grant" {
		f.t.Errorf("a replay: %d %s", again.status, again.Error)
	}
	if after := f.token(p, refreshForm(got.Refresh)); after.Error != "invalid_grant" {
		f.t.Errorf("after a replay, a refresh: %d %s", after.status, after.Error)
	}
}

func (f *faulty) device() {
	b := newBrowser(f.t, f.node)
	signIn(f.t, b, wantedPage, "alice", alicePassword)
	p := newProgram(f.t, f.node)
	resp, err := p.PostForm(f.issuer+"/device_authorization", url.Values{"client_id": {"tv"}, "scope": {"openid offline_access"}})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	started := readDevice(f.t, p, resp)
	page := b.Open(started.Complete)
	b.Submit(page, b.Find(page, "request"), map[string]string{"decision": "approve"})
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"tv"}, "device_code": {started.Code},
	}
	f.redeems(p, form)
	if again := f.token(p, form); again.Error != "invalid_grant" {
		f.t.Errorf("a poll after the delivery: %d %s", again.status, again.Error)
	}
}

func (f *faulty) password(way string) {
	b := newBrowser(f.t, f.node)
	form := b.Open(wantedPage)
	f.fault.begin(f)
	page := login(f.t, b, form, "alice", alicePassword)
	f.fault.end(f)
	wantUnavailable(f.t, page)
	if way == "reload" { // the form is sent once more
		f.lands(b, login(f.t, b, form, "alice", alicePassword))
		return
	}
	f.lands(b, login(f.t, b, f.again(b, page, way), "alice", alicePassword))
}

func (f *faulty) callback(way string) {
	b := newBrowser(f.t, f.node)
	b.StopAt("/callback/sso")
	callback := login(f.t, b, b.Open(wantedPage), "alice", openid.Password).Next()
	b.StopAt("")
	f.fault.begin(f)
	page := b.Open(callback.String())
	f.fault.end(f)
	wantUnavailable(f.t, page)
	f.lands(b, f.again(b, page, way))
	f.lands(b, b.Open(callback.String())) // whoever is signed in goes on
	f.replay(newBrowser(f.t, f.node), callback.String())
}

func (f *faulty) handover(way string) {
	b := newBrowser(f.t, f.node)
	b.StopAt("/.gatehouse/callback")
	page := login(f.t, b, b.Open(wantedPage), "alice", alicePassword)
	callback := page.Next()
	if callback == nil {
		f.t.Fatalf("no hand-over:\n%s%s", page.Path(), page.Text())
	}
	b.StopAt("")
	thief := newBrowser(f.t, f.node)
	for _, cookie := range b.Cookies(callback.String()) { // of the attempt
		thief.SetCookie(callback.String(), &http.Cookie{Name: cookie.Name, Value: cookie.Value, Path: "/.gatehouse/"})
	}
	f.fault.begin(f)
	page = b.Open(callback.String())
	f.fault.end(f)
	wantUnavailable(f.t, page)
	f.lands(b, f.again(b, page, way))
	f.replay(newBrowser(f.t, f.node), callback.String())
	if !signedIn(f.t, b, faultSite+"/more") {
		f.t.Error("somebody without the cookie has ended the session")
	}
	// With everything right it is a replay, which ends what was issued.
	f.replay(thief, callback.String())
	await(f.t, 30*time.Second, "the end of the session", func() bool { return !signedIn(f.t, b, faultSite+"/more") })
}

// replay presents a callback once more, which must sign nobody in.
func (f *faulty) replay(b *browser.Browser, callback string) {
	f.t.Helper()
	page := b.Open(callback)
	if page.Status != http.StatusBadRequest {
		f.t.Errorf("a replay: %d %s", page.Status, page.Text())
	}
	for _, cookie := range page.Trail[len(page.Trail)-1].Cookies {
		if strings.HasSuffix(cookie.Name, "gatehouse") && cookie.MaxAge >= 0 {
			f.t.Errorf("a replay gave the cookie %s", cookie.Name)
		}
	}
}

// TestPostgresLosesTheAnswer_WhoeverIsToldToTryAgainCan: the very statement that
// stores the session is not heard of, or is carried out and its answer is lost, or
// comes when nobody waits for it any more.
func TestPostgresLosesTheAnswer_WhoeverIsToldToTryAgainCan(t *testing.T) {
	t.Parallel()
	for name, portal := range map[string]bool{"portal": true, "a site": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(postgrestest.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			proxy := faultproxy.StartPostgres(t, u.Host)
			u.Host = proxy.Addr()
			w := startFaulty(t, portal, strings.Join(shared, "\n\t\t"), sharedEnv(u.String(), redistest.URL(t)))
			for what, fault := range map[string]faultproxy.Fault{
				"cut before": faultproxy.Refuse, "its answer is lost": faultproxy.Lose, "its answer is late": faultproxy.Hold,
			} {
				t.Run(what, func(t *testing.T) {
					w.outlives(t, &statementFault{proxy: proxy, fault: fault}, fault == faultproxy.Hold)
				})
			}
		})
	}
}

package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestRefusal_SilentRequestsShowNothing: prompt=none is answered by a redirect,
// whoever is signed in and whatever would have to be asked.
func TestRefusal_SilentRequestsShowNothing(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, publicClient)
	silent := func(client string, edit func(url.Values)) string {
		return w.issuer + "/authorize?" + change(authorization(client), func(q url.Values) { q.Set("prompt", "none"); edit(q) }).Encode()
	}
	as := func(q url.Values) {}
	alice := w.alice(t)
	outcome := func(address string) string {
		page := alice.Step(address)
		if to := page.Next(); to != nil && strings.HasPrefix(to.String(), callback) {
			return to.Query().Get("error")
		}
		return "a page: " + page.Text()
	}
	if got := outcome(silent("web", as)); got != "login_required" {
		t.Errorf("nobody is signed in: %s", got)
	}
	alice.code(authorization("web"))
	for name, c := range map[string]struct{ address, want string }{
		"signed in":           {silent("web", as), ""},
		"not asked yet":       {silent("spa", as), "consent_required"},
		"too long ago":        {silent("web", func(q url.Values) { q.Set("max_age", "0") }), "login_required"},
		"recently enough":     {silent("web", func(q url.Values) { q.Set("max_age", "600") }), ""},
		"the form is foreign": {silent("web", func(q url.Values) { q.Set("scope", "admin") }), "invalid_scope"},
	} {
		// A sign-in of this very second is not older than max_age=0 allows.
		if got := outcome(c.address); got != c.want && name != "too long ago" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	page := alice.Open(w.issuer + "/authorize?" + change(authorization("web"), func(q url.Values) { q.Set("prompt", "login") }).Encode())
	if !has(page, "password") {
		t.Errorf("prompt=login does not ask for the password: %s", page.Text())
	}
}

// TestRefusal_ConsentFromElsewhere: nobody but the person on our own page
// consents.
func TestRefusal_ConsentFromElsewhere(t *testing.T) {
	t.Parallel()
	w := start(t, "http", publicClient)
	alice, bob := w.alice(t), w.person(t, "bob")
	alice.Open(w.issuer + "/")
	ask := func(p *person) (string, url.Values) {
		page := p.Open(w.issuer + "/authorize?" + authorization("spa").Encode())
		if has(page, "password") {
			page = p.Submit(page, p.Find(page, "password"), map[string]string{"username": p.name, "password": p.password()})
		}
		form := p.Find(page, "request")
		form.Values.Set("decision", "approve")
		return form.Action.String(), form.Values
	}
	action, hers := ask(alice)
	_, his := ask(bob)
	for name, c := range map[string]struct {
		origin string
		form   url.Values
	}{
		"another origin":    {"https://evil.example", hers},
		"another's request": {w.issuer, change(hers, func(f url.Values) { f.Set("request", his.Get("request")) })},
		"another's token":   {w.issuer, change(hers, func(f url.Values) { f.Set("form", his.Get("form")) })},
		"no token":          {w.issuer, change(hers, func(f url.Values) { f.Del("form") })},
		"a changed request": {w.issuer, change(hers, func(f url.Values) { f.Set("request", f.Get("request")[1:]) })},
	} {
		page := alice.Post(action, c.origin, c.form)
		if to := page.Next(); page.Status < 400 || to != nil {
			t.Errorf("%s: %d to %v", name, page.Status, to)
		}
	}
	alice.StopAt("/callback")
	if to := alice.Post(action, w.issuer, hers).Next(); to == nil || to.Query().Get("code") == "" {
		t.Errorf("her own answer leads to %v", to)
	}
}

// TestRefusal_DeviceCodesOfOthers: a device code is its client's, its verifier's
// and approved by somebody who was asked.
func TestRefusal_DeviceCodesOfOthers(t *testing.T) {
	t.Parallel()
	w := start(t, "http", otherClient)
	begin := authorization("cli")
	got := w.post(t, "device_authorization", url.Values{
		"client_id": {"cli"}, "scope": {"openid"}, "code_challenge": begin["code_challenge"], "code_challenge_method": {"S256"},
	})
	if got.status != http.StatusOK || !strings.HasSuffix(got.text("verification_uri"), "/device") {
		t.Fatalf("starting: %d %s", got.status, got.body)
	}
	poll := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {got.text("device_code")},
		"client_id": {"cli"}, "code_verifier": {verifier},
	}
	for name, edit := range map[string]func(url.Values){
		"another client":   func(f url.Values) { f.Set("client_id", "tv") },
		"another verifier": func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) },
		"no verifier":      func(f url.Values) { f.Del("code_verifier") },
		"the user code":    func(f url.Values) { f.Set("device_code", got.text("user_code")) },
		"a code cut short": func(f url.Values) { f.Set("device_code", f.Get("device_code")[1:]) },
	} {
		w.post(t, "token", change(poll, edit)).want(t, name, http.StatusBadRequest, "invalid_grant")
	}
	w.post(t, "token", change(poll, func(f url.Values) { f.Set("code", f.Get("device_code")); f.Del("device_code") })).
		want(t, "as authorization code", http.StatusBadRequest, "invalid_request")
	w.post(t, "token", poll).want(t, "not approved yet", http.StatusBadRequest, "authorization_pending")
	alice := w.alice(t)
	page := alice.visit(got.text("verification_uri_complete"))
	if !strings.Contains(page.Text(), got.text("user_code")) || !has(page, "request") {
		t.Fatalf("the address with the code does not ask whether it is hers: %s", page.Text())
	}
	form := alice.Find(page, "request")
	form.Values.Set("decision", "approve")
	if page := alice.Post(form.Action.String(), "https://evil.example", form.Values); page.Status != http.StatusForbidden {
		t.Errorf("approval from another origin: %d", page.Status)
	}
	if page := w.person(t, "bob").Post(form.Action.String(), w.issuer, form.Values); page.Status != http.StatusForbidden {
		t.Errorf("approval by somebody else: %d", page.Status)
	}
	w.post(t, "token", poll).want(t, "a poll too soon", http.StatusBadRequest, "slow_down")
	alice.Submit(page, form, map[string]string{"decision": "refuse"})
	w.post(t, "token", poll).want(t, "refused", http.StatusBadRequest, "access_denied")
}

// TestRefusal_SignOutsThatLeadElsewhere: a hint is of the client that it names,
// and the address behind the sign-out its own.
func TestRefusal_SignOutsThatLeadElsewhere(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	got := w.alice(t).tokens(authorization("web"))
	hint := got.text("id_token")
	forged := strings.Split(hint, ".")
	for name, query := range map[string]url.Values{
		"an unknown address":     {"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"another client's":       {"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:1/other"}},
		"another path":           {"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:1/goodbye2"}},
		"another client's name":  {"id_token_hint": {hint}, "client_id": {"other"}, "post_logout_redirect_uri": {goodbye}},
		"no client":              {"post_logout_redirect_uri": {goodbye}},
		"an unsigned hint":       {"id_token_hint": {forged[0] + "." + forged[1] + "."}, "post_logout_redirect_uri": {goodbye}},
		"an access token":        {"id_token_hint": {got.text("access_token")}, "post_logout_redirect_uri": {goodbye}},
		"two addresses":          {"id_token_hint": {hint}, "post_logout_redirect_uri": {goodbye, "https://evil.example/"}},
		"two hints":              {"id_token_hint": {hint, hint}, "post_logout_redirect_uri": {goodbye}},
		"a redirect URI instead": {"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}},
	} {
		alice := w.alice(t)
		alice.code(authorization("web"))
		if to := alice.signOut(w.issuer + "/logout?" + query.Encode()); to != nil {
			t.Errorf("%s: the browser is sent to %s", name, to)
		}
		if alice.signedIn() {
			t.Errorf("%s: still signed in after confirming", name)
		}
	}
	alice := w.alice(t)
	alice.code(authorization("web"))
	address := w.issuer + "/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {goodbye}}.Encode()
	for _, page := range []int{alice.Step(address).Status, alice.Post(w.issuer+"/logout", "https://evil.example", url.Values{"id_token_hint": {hint}}).Status} {
		if page != http.StatusOK || !alice.signedIn() {
			t.Errorf("signed out without a question: %d", page)
		}
	}
}

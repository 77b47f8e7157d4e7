package flows_test

import (
	"net/http"
	"net/url"
	"testing"
)

// Without a portal each guarded site is an issuer, and what one of them issued is
// good there alone: a client id, a code, a request_uri, a user code and a refresh
// token are an issuer's (RFC 6749, sections 2.2, 4.1.3 and 6; RFC 9126, section 2.2).
func TestSites_AreIssuersOfTheirOwn(t *testing.T) {
	w := newWorld(t, worldOptions{clients: oauthClients()})
	a, b := w.siteURL("a")+"/.gatehouse", w.siteURL("b")+"/.gatehouse"
	post := func(issuer, endpoint string, form url.Values, headers ...string) said {
		return w.send(http.MethodPost, issuer+"/"+endpoint, form.Encode(), append([]string{formType}, headers...)...)
	}
	person := newBrowser(t)
	person.get(w.siteURL("a")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	person = person.held()
	location := func(u string) url.Values {
		t.Helper()
		person.get(u)
		to, err := url.Parse(person.last.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return to.Query()
	}

	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	code := location(a + "/authorize?" + params.Encode()).Get("code")
	for _, resource := range []string{"", w.siteURL("b")} {
		form := redeem(code)
		if resource != "" {
			form.Set("resource", resource)
		}
		if got := post(b, "token", form, basic("web")); got.status != http.StatusBadRequest {
			t.Fatalf("a's code at b: %d %s", got.status, got.text)
		}
	}
	got := post(a, "token", redeem(code), basic("web"))
	if got.status != http.StatusOK {
		t.Fatalf("a's code at a, after b refused it: %d %s", got.status, got.text)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}
	post(b, "token", refresh, basic("web")).refused(t, "a's refresh token at b", http.StatusBadRequest, "invalid_grant")
	if said := post(b, "introspect", url.Values{"token": refresh["refresh_token"]}, basic("web")); said.body["active"] != false {
		t.Errorf("b knows a's refresh token: %s", said.text)
	}
	post(b, "revoke", url.Values{"token": refresh["refresh_token"]}, basic("web"))
	if got := post(a, "token", refresh, basic("web")); got.status != http.StatusOK {
		t.Errorf("a's refresh token at a, after b was asked to revoke it: %d %s", got.status, got.text)
	}

	pushed := post(a, "par", params, basic("web"))
	query := url.Values{"client_id": {"web"}, "request_uri": {pushed.answer.text("request_uri")}}.Encode()
	if person.get(b + "/authorize?" + query); person.last.StatusCode != http.StatusBadRequest {
		t.Errorf("a's request_uri at b: %d %s", person.last.StatusCode, person.last.Header.Get("Location"))
	}
	if location(a+"/authorize?"+query).Get("code") == "" {
		t.Errorf("a's request_uri at a, after b refused it: %d %s", person.last.StatusCode, person.body)
	}

	device := post(a, "device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}})
	shown := device.answer.text("user_code")
	other := newBrowser(t)
	other.get(b+"/device?user_code="+shown).signIn("bob", "builder").want(http.StatusNotFound, "not known")
	post(b, "token", pollForm(device)).refused(t, "a's device code at b", http.StatusBadRequest, "invalid_grant")
	person.open(a+"/device?user_code="+shown).want(http.StatusOK, shown)
	person.submit(url.Values{"decision": {"approve"}})
	if got := post(a, "token", pollForm(device)); got.status != http.StatusOK {
		t.Errorf("a's device code at a: %d %s", got.status, got.text)
	}
}

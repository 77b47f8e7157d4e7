package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A reload that puts a new secret in front of the old one drops nothing that is
// under way, also when the cache is this process's memory.
func TestReload_ANewSecretDropsNoFlow(t *testing.T) {
	const (
		was   = "secret \"a secret that only tests know\"\n"
		now   = "secret \"another secret that only tests know\"\n" + was
		lines = aliceLocal + "issuer http://auth.example.com\nclient tv {\n\tpublic\n\tgrants device_code\n\tscopes openid\n}\n"
		sites = "http://auth.example.com {\n\tgatehouse_portal\n}\n"
	)
	dir := t.TempDir()
	post := func(r *running, endpoint string, form url.Values) (answer map[string]any) {
		t.Helper()
		form.Set("client_id", "tv")
		req := httptest.NewRequest(http.MethodPost, "http://auth.example.com/"+endpoint, strings.NewReader(form.Encode()))
		req.RequestURI = req.URL.RequestURI()
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := r.do(req)
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s answers %d %s", endpoint, rec.Code, rec.Body)
		}
		return answer
	}
	before, err := start(t, config(t, dir, was+lines, sites))
	if err != nil {
		t.Fatal(err)
	}
	begun := post(before, "device_authorization", url.Values{"scope": {"openid"}})
	code, _ := begun["device_code"].(string)
	after, err := start(t, config(t, dir, now+lines, sites))
	if err != nil {
		t.Fatal(err)
	}
	before.stop() // as Caddy does, when the new one runs
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}}
	if got := post(after, "token", poll); got["error"] != "authorization_pending" {
		t.Errorf("after the reload: %v, before: %v", got, begun)
	}
	after.stop()
	again, err := start(t, config(t, dir, now+lines, sites))
	if err != nil {
		t.Fatal(err)
	}
	defer again.stop()
	if got := post(again, "token", poll); got["error"] != "invalid_grant" {
		t.Errorf("the cache was not closed with the last that used it: %v", got)
	}
}

package flows_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Whether a token of ours stands among very many words is not worth finding out:
// an attacker chooses how many, and HPACK makes them cheap.
func TestStripCredentials_LooksAtFewWords(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	token := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}}).text("access_token")
	strip := func(values ...string) []string {
		req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
		req.Header["Authorization"] = values
		req.Header["Dpop"] = []string{"proof"}
		w.gateway.Guard().StripCredentials(req, nil)
		if len(req.Header["Authorization"]) == 0 && len(req.Header["Dpop"]) != 0 {
			t.Error("the proof of what was dropped goes upstream")
		}
		return req.Header["Authorization"]
	}
	for name, c := range map[string]struct {
		values []string
		kept   bool
	}{
		"sixteen words":               {[]string{"Digest " + strings.Repeat("e30.e30.e30 ", 16)}, true},
		"seventeen":                   {[]string{"Digest " + strings.Repeat("e30.e30.e30 ", 17)}, false},
		"seventeen on as many lines":  {strings.Fields(strings.Repeat("e30.e30.e30 ", 17)), false},
		"ours behind sixteen":         {[]string{strings.Repeat("e30.e30.e30 ", 16) + token}, false},
		"of another form":             {[]string{"Digest " + strings.Repeat(`name="value.example", `, 50)}, true},
		"ours behind those":           {[]string{"Digest " + strings.Repeat(`name="value.example", `, 50) + token}, false},
		"ours on a line of its own":   {[]string{"Basic eDp5", "Bearer " + token}, false},
		"one long word":               {[]string{"Negotiate " + strings.Repeat("A", 60<<10)}, true},
		"more than two tokens' bytes": {[]string{"Negotiate " + strings.Repeat("A", 64<<10)}, false},
		"that on two lines":           {[]string{strings.Repeat("A", 40<<10), strings.Repeat("A", 40<<10)}, false},
		"separators alone":            {[]string{strings.Repeat(",", 60<<10)}, true},
	} {
		if got := strip(c.values...); (len(got) > 0) != c.kept {
			t.Errorf("%s: kept: %t", name, len(got) > 0)
		}
	}
	lines := make([]string, 250)
	for i := range lines {
		lines[i] = strings.Repeat("e30.e30.e30 ", 250)
	}
	begun := time.Now()
	for range 2000 {
		strip(lines...)
	}
	if took := time.Since(begun); took > time.Minute { // it was half an hour
		t.Errorf("2000 requests of many words took %v", took)
	}
}

package flows_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

// Nothing that holds a token of ours goes upstream: a server may read a scheme or a
// list that we do not, and its log may keep what it does not read.
func TestStripCredentials_FindsTokensInAnyForm(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	token := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}}).text("access_token")
	session := handle.MintSession(w.gateway.Keyring, handle.Handle{ID: uuid.Must(uuid.NewV7())})
	refresh := handle.MintRefresh(w.gateway.Keyring, "", handle.Handle{ID: uuid.Must(uuid.NewV7()), Generation: 3})
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	header, rest, _ := strings.Cut(token, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	for name, value := range map[string]string{
		"as it should be":       "Bearer " + token,
		"something before it":   "Bearer x." + token,
		"something behind it":   "Bearer " + token + ".x",
		"glued":                 "Bearer x" + token,
		"tab":                   "Bearer\t" + token,
		"no scheme":             token,
		"scheme misspelt":       "Baerer " + token,
		"scheme glued":          "Bearer" + token,
		"quoted":                `Token token="` + token + `"`,
		"in a list":             "Basic eDp5,Bearer " + token,
		"a longer list":         "Bearer a.b.c, Bearer d.e.f; Bearer " + token,
		"a password":            "Basic " + encoded("alice:"+token),
		"a name":                "Basic " + encoded(token+":x"),
		"URL alphabet":          "Basic " + base64.RawURLEncoding.EncodeToString([]byte("ÿÿÿ:"+token)),
		"escaped":               "OAuth oauth_token=" + strings.ReplaceAll(token, ".", "%2E"),
		"escaped, lenient":      "OAuth x=%zz,oauth_token=" + strings.ReplaceAll(token, ".", "%2e"),
		"another signature":     "Bearer " + header + "." + claims + ".AAAA",
		"another header":        "Bearer e30." + claims + "." + signature,
		"a session":             "Bearer " + session,
		"a refresh token":       "Bearer " + refresh,
		"a session behind":      "Bearer x." + session,
		"a session glued":       "Bearer x" + session + "x",
		"a refresh token glued": "Bearer ABC" + refresh,
		"a session as password": "Basic " + encoded("x:"+session),
		"begun":                 "Bearer gts_x",
	} {
		for _, field := range []string{"Authorization", "Proxy-Authorization"} {
			req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
			req.Header[field] = []string{"Negotiate abc", value}
			w.gateway.Guard().StripCredentials(req, nil)
			if got := req.Header[field]; got != nil {
				t.Errorf("%s, %s: %q goes upstream", field, name, got)
			}
		}
	}
	for name, value := range map[string]string{
		"another issuer's":     "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLnRlc3QifQ.AAAA",
		"opaque":               "Bearer 2YotnFZFEjr1zCsicMWpAA",
		"those letters inside": "Bearer Agts_" + strings.Repeat("A", 120),
		"and the other ones":   "Bearer Agtr_" + strings.Repeat("B", 120),
		"Basic":                "Basic " + encoded("alice:"+strings.Repeat("wonderland", 20)),
		"AWS":                  "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0a", 32),
	} {
		req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
		req.Header["Authorization"] = []string{value}
		w.gateway.Guard().StripCredentials(req, nil)
		if req.Header.Get("Authorization") != value {
			t.Errorf("%s is the app's own, and is dropped", name)
		}
	}
	for line, want := range map[string]string{
		"a=1; b=2": "a=1; b=2", "x=" + session: "", "a=1; x=" + session + "; b=2": "a=1; b=2", "a=1; x=" + refresh: "a=1", "x=y" + session: "",
		"a=1; x=" + token + "; b=2": "a=1; b=2", "gatehouse =" + session + "; a=1": "a=1", `x="` + session + `"`: "", "a=gts; b=gtr": "a=gts; b=gtr",
		"jwt=eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLnRlc3QifQ.AAAA": "jwt=eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLnRlc3QifQ.AAAA",
	} {
		req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
		req.Header["Cookie"] = []string{line}
		w.gateway.Guard().StripCredentials(req, nil)
		if got := strings.Join(req.Header["Cookie"], "|"); got != want {
			t.Errorf("Cookie %q becomes %q, want %q", line, got, want)
		}
	}
}

package caddymodule

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

const programSites = "http://auth.example.com {\n\tgatehouse_portal\n}\n" +
	"http://app.example.com {\n\tgatehouse {\n\t\tapp_credentials basic bearer aws4\n\t\tapp_credentials header X-Api-Key\n\t}\n\tgatehouse /admin/*\n" + echo + "}\n" +
	"http://api.example.com {\n\tgatehouse /open/* {\n\t\tbasic_token\n\t}\n\t@closed not path /public\n\tgatehouse @closed\n" + echo + "}\n"

func servePrograms(t *testing.T) *running {
	t.Helper()
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	return serve(t, aliceLocal+apiClient, programSites)
}

// Programs with the application's own credentials pass, and as nobody.
func TestAppCredentials(t *testing.T) {
	r := servePrograms(t)
	alice := r.signIn("app.example.com", nil)
	const presigned = "/bucket/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b"
	for name, c := range map[string]struct {
		path    string
		headers []string
		want    int
	}{
		"none":                    {"/", nil, http.StatusUnauthorized},
		"Basic":                   {"/", []string{"Authorization", "Basic YTpi"}, http.StatusOK},
		"Basic in small letters":  {"/", []string{"Authorization", "basic YTpi"}, http.StatusOK},
		"Basic of nothing":        {"/", []string{"Authorization", "Basic "}, http.StatusUnauthorized},
		"the app's token":         {"/", []string{"Authorization", "Bearer app-token"}, http.StatusOK},
		"as Gitea has it":         {"/", []string{"Authorization", "token app-token"}, http.StatusOK},
		"AWS":                     {"/", []string{"Authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=b"}, http.StatusOK},
		"a presigned URL":         {presigned, nil, http.StatusOK},
		"half a presigned URL":    {strings.TrimSuffix(presigned, "b"), nil, http.StatusUnauthorized},
		"an unreadable one":       {presigned + "&x=%", nil, http.StatusUnauthorized},
		"another scheme":          {"/", []string{"Authorization", "Digest x"}, http.StatusUnauthorized},
		"a key":                   {"/", []string{"X-Api-Key", "k"}, http.StatusOK},
		"a key that is empty":     {"/", []string{"X-Api-Key", " "}, http.StatusUnauthorized},
		"two of them":             {"/", []string{"Authorization", "Basic YTpi", "Authorization", "Basic YTpj"}, http.StatusUnauthorized},
		"a token of ours, forged": {"/", []string{"Authorization", "Bearer gts_forged"}, http.StatusUnauthorized},
		// What the application does not get is judged by nobody.
		"what is taken for ours": {"/", []string{"Authorization", "Bearer x gts_y"}, http.StatusUnauthorized},
		"the same in Basic":      {"/", []string{"Authorization", basic("a", "gts_"+strings.Repeat("x", 60))}, http.StatusUnauthorized},
		"too much to look at":    {"/", []string{"Authorization", "Bearer " + strings.Repeat("a.b.c ", 17)}, http.StatusUnauthorized},
		"named in Connection":    {"/", []string{"Authorization", "Basic YTpi", "Connection", "close, authorization"}, http.StatusUnauthorized},
		"a key named there":      {"/", []string{"X-Api-Key", "k", "Connection", "X-API-Key"}, http.StatusUnauthorized},
		"of another AWS scheme":  {"/", []string{"Authorization", "AWS4-X y"}, http.StatusUnauthorized},
		"at a second guard":      {"/admin/x", []string{"Authorization", "Basic YTpi"}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			req := get("http://app.example.com" + c.path)
			req.Header.Set("Remote-User", "mallory")
			for i := 0; i < len(c.headers); i += 2 {
				req.Header.Add(c.headers[i], c.headers[i+1])
			}
			rec := r.do(req)
			wantStatus(t, rec, c.want)
			if c.want != http.StatusOK {
				return
			}
			body := rec.Body.String()
			if strings.Contains(body, "mallory") || !strings.HasSuffix(body, "id= email= name= groups= provider=") {
				t.Errorf("the application sees\n%s", body)
			}
			for i := 0; i < len(c.headers); i += 2 {
				if !strings.Contains(body, c.headers[i]+": "+c.headers[i+1]+"\n") {
					t.Errorf("the application does not see %s:\n%s", c.headers[i], body)
				}
			}
			if vary := strings.Join(rec.Header()["Vary"], ","); rec.Header().Get("Cache-Control") != "private" || vary != "Cookie,Authorization,Gatehouse-Authorization,X-Api-Key" {
				t.Errorf("a cache would share it: %v", rec.Header())
			}
		})
	}
	req := get("http://app.example.com/", alice)
	req.Header.Set("Authorization", "Basic YTpi")
	if body := r.do(req).Body.String(); !strings.Contains(body, "Remote-User: alice\n") || !strings.Contains(body, "Authorization: Basic YTpi\n") {
		t.Errorf("somebody who is signed in is known:\n%s", body)
	}
}

// cadaver, Docker and git send nothing before they are asked for Basic credentials.
func TestAppCredentials_AsksPrograms(t *testing.T) {
	r := servePrograms(t)
	for name, c := range map[string]struct {
		url, header, want string
	}{
		"a program":                      {"http://app.example.com/", "", `Basic realm="app.example.com", charset="UTF-8"`},
		"a page":                         {"http://app.example.com/", "Sec-Fetch-Mode", "Bearer "},
		"an old page":                    {"http://app.example.com/", "X-Requested-With", "Bearer "},
		"where a token may be Basic":     {"http://api.example.com/x", "", `Basic realm="api.example.com", charset="UTF-8"`},
		"where nobody has said anything": {"http://app.example.com/admin/", "", `Basic realm="app.example.com"`},
	} {
		req := get(c.url)
		if c.header != "" {
			req.Header.Set(c.header, "cors")
		}
		rec := r.do(req)
		wantStatus(t, rec, http.StatusUnauthorized)
		if got := rec.Header()["Www-Authenticate"]; !strings.HasPrefix(got[0], c.want) || strings.HasPrefix(c.want, "Basic") && len(got) != 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The application's own Authorization and a token of ours, side by side.
func TestOwnHeader(t *testing.T) {
	r := servePrograms(t)
	good, foreign := r.token("http://api.example.com"), r.token("http://other.example.com")
	alice := r.signIn("api.example.com", nil)
	for name, c := range map[string]struct {
		headers []string
		cookie  bool
		want    int
	}{
		"ours":                         {[]string{"Gatehouse-Authorization", "Bearer " + good}, false, http.StatusOK},
		"beside the app's":             {[]string{"Gatehouse-Authorization", "Bearer " + good, "Authorization", "Basic YTpi"}, false, http.StatusOK},
		"of another site":              {[]string{"Gatehouse-Authorization", "Bearer " + foreign}, false, http.StatusUnauthorized},
		"of somebody else's":           {[]string{"Gatehouse-Authorization", "Bearer app-token"}, false, http.StatusUnauthorized},
		"without a scheme":             {[]string{"Gatehouse-Authorization", good}, false, http.StatusUnauthorized},
		"empty":                        {[]string{"Gatehouse-Authorization", ""}, false, http.StatusUnauthorized},
		"two of them":                  {[]string{"Gatehouse-Authorization", "Bearer " + good, "Gatehouse-Authorization", "Bearer " + good}, false, http.StatusBadRequest},
		"in both places":               {[]string{"Gatehouse-Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, false, http.StatusBadRequest},
		"beside a session":             {[]string{"Gatehouse-Authorization", "Bearer " + good}, true, http.StatusBadRequest},
		"Basic":                        {[]string{"Authorization", basic("git", good)}, false, http.StatusOK},
		"Basic, of another site":       {[]string{"Authorization", basic("git", foreign)}, false, http.StatusUnauthorized},
		"Basic, the app's":             {[]string{"Authorization", basic("git", "secret")}, false, http.StatusUnauthorized},
		"Basic, a session's handle":    {[]string{"Authorization", basic("git", alice.Value)}, false, http.StatusUnauthorized},
		"Basic beside a session":       {[]string{"Authorization", basic("git", good)}, true, http.StatusBadRequest},
		"Basic and ours":               {[]string{"Gatehouse-Authorization", "Bearer " + good, "Authorization", basic("git", good)}, false, http.StatusBadRequest},
		"in a spelling that is WSGI's": {[]string{"Gatehouse_authorization", "Bearer " + good}, false, http.StatusUnauthorized},
	} {
		for _, path := range []string{"/x", "/public"} {
			t.Run(name+path, func(t *testing.T) {
				req := get("http://api.example.com" + path)
				for i := 0; i < len(c.headers); i += 2 {
					req.Header[c.headers[i]] = append(req.Header[c.headers[i]], c.headers[i+1])
				}
				if c.cookie {
					req.AddCookie(alice)
				}
				rec := r.do(req)
				want := c.want
				if path == "/public" {
					want = http.StatusOK
				}
				wantStatus(t, rec, want)
				body := rec.Body.String()
				if want == http.StatusOK && strings.Contains(strings.ToLower(body), "gatehouse") || strings.Contains(body, good) || strings.Contains(body, foreign) {
					t.Errorf("the application sees\n%s", body)
				}
				if want == http.StatusOK && name == "beside the app's" && !strings.Contains(body, "Authorization: Basic YTpi\n") {
					t.Errorf("the application does not see its own:\n%s", body)
				}
				if known := strings.Contains(body, "id=client:robot"); known != (want == http.StatusOK && path == "/x") {
					t.Errorf("known: %v\n%s", known, body)
				}
				if want == http.StatusUnauthorized && strings.HasPrefix(name, "Basic") && !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("the client does not ask its user: %v", rec.Header())
				}
			})
		}
	}
}

// A browser that was once given a token as a Basic password adds it to whatever any page
// sends to the site: no SameSite keeps it back.
func TestBasicToken_IsNoUseToPagesOfOtherSites(t *testing.T) {
	r := servePrograms(t)
	password := basic("git", r.token("http://api.example.com"))
	for name, c := range map[string]struct {
		method  string
		headers []string
		want    int
	}{
		"git":                       {http.MethodPost, nil, http.StatusOK},
		"the site's own page":       {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		"a link":                    {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusOK},
		"a form of another site":    {http.MethodPost, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		"the same in an old one":    {http.MethodPost, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"of a sandboxed frame":      {http.MethodDelete, []string{"Origin", "null"}, http.StatusForbidden},
		"a WebSocket of evil's":     {http.MethodGet, []string{"Origin", "https://evil.example", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-Websocket-Key", "x", "Sec-Websocket-Version", "13"}, http.StatusForbidden},
		"a WebSocket of the site's": {http.MethodGet, []string{"Origin", "http://api.example.com", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-Websocket-Key", "x", "Sec-Websocket-Version", "13"}, http.StatusOK},
	} {
		req := get("http://api.example.com/x")
		req.Method = c.method
		req.Header.Set("Authorization", password)
		for i := 0; i < len(c.headers); i += 2 {
			req.Header.Set(c.headers[i], c.headers[i+1])
		}
		if got := r.do(req); got.Code != c.want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestAppCredentials_Contradictions(t *testing.T) {
	for lines, want := range map[string]string{
		"headers {\n\t\t\tbasic_auth x\n\t\t}\n\t\tapp_credentials basic": "app_credentials and basic_auth both need Authorization",
		"app_credentials header remote_user":                              "is removed from requests",
	} {
		_, err := start(t, config(t, t.TempDir(), aliceLocal, "http://app.example.com {\n\tgatehouse {\n\t\t"+lines+"\n\t}\n}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", lines, err)
		}
	}
}

// A proxy that asks would pass our header on to the application.
func TestOwnHeader_ForwardAuth(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := trusting(t, aliceLocal+strings.ReplaceAll(apiClient, "http://api.example.com", "https://app.corp.test"),
		"http://auth.example.com {\n\tgatehouse_portal\n}\n"+strings.Replace(strings.ReplaceAll(gate, "PROXY", "traefik"), "hosts", "basic_token\n\t\thosts", 1))
	good := r.token("https://app.corp.test")
	req := asks("traefik", "GET", "/open")
	req.Header.Set("Gatehouse-Authorization", "Bearer "+good)
	wantStatus(t, r.do(req), http.StatusBadRequest)
	req = asks("traefik", "GET", "/private/x")
	req.Header.Set("Authorization", basic("git", good))
	rec := r.do(req)
	if values := rec.Header()["Authorization"]; rec.Code != http.StatusOK || rec.Header().Get("Remote-User") != "client:robot" || len(values) != 1 || values[0] != "" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

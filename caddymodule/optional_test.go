package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// optionalSite is open to all, and knows the staff.
const optionalSite = "policy staff {\n\tallow group staff\n}\npolicy everybody {\n\tallow anyone\n}\n"

const optionalSites = "http://app.example.com {\n\tgatehouse staff {\n\t\toptional\n\t}\n\tgatehouse /admin/* everybody\n" +
	"\troute {\n\t@known gatehouse group staff guests\n\theader @known X-Known yes\n" + echo + "}\n}"

func asGuest(c *identity.Claims) { c.ID, c.User, c.Groups = "alice", "alice", []string{"guests"} }

func TestOptional_SendsNobodyAway(t *testing.T) {
	r := serve(t, strings.Replace(aliceLocal, "}\n}\n", "}\n\tuser bob "+cheapHash+" {\n\t\tgroups guests\n\t}\n}\n", 1)+optionalSite, optionalSites)
	asBob := func(c *identity.Claims) { c.ID, c.User, c.Groups = "bob", "bob", []string{"guests"} }
	alice, bob := r.signIn("app.example.com", nil), r.signIn("app.example.com", asBob)
	forged := &http.Cookie{Name: "gatehouse", Value: "gts_forged"}
	foreign := get("http://app.example.com/socket", alice)
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example", "Sec-Websocket-Key": "x", "Sec-Websocket-Version": "13",
	} {
		foreign.Header.Set(name, value)
	}
	for name, c := range map[string]struct {
		req   *http.Request
		known bool
	}{
		"nobody":                             {get("http://app.example.com/"), false},
		"nobody who clicks":                  {navigation("http://app.example.com/x"), false},
		"a forged cookie":                    {get("http://app.example.com/", forged), false},
		"signed in":                          {get("http://app.example.com/", alice), true},
		"refused by policy":                  {navigation("http://app.example.com/", bob), false},
		"a page of another site's WebSocket": {foreign, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.Header.Set("Remote-User", "mallory")
			rec := r.do(c.req)
			wantStatus(t, rec, http.StatusOK)
			body := rec.Body.String()
			if known := strings.Contains(body, "Remote-User: alice\n"); known != c.known || strings.Contains(body, "mallory") || strings.Contains(body, "gts_") {
				t.Errorf("the upstream sees\n%s", body)
			}
			want := "id= email= name= groups= provider="
			if c.known {
				want = "id=alice email=alice@example.com name=Alice Liddell groups=staff provider=local"
			}
			if !strings.HasSuffix(body, want) || (rec.Header().Get("X-Known") == "yes") != c.known {
				t.Errorf("the handlers see %v\n%s", rec.Header(), body)
			}
			if got := strings.Join(rec.Header()["Vary"], ","); got != "Cookie,Authorization,Gatehouse-Authorization" || rec.Header().Get("Cache-Control") != "private" {
				t.Errorf("a cache would share it: %v", rec.Header())
			}
		})
	}
}

// Who believes to be signed in is told, and no guard after the first is widened.
func TestOptional_RefusesWhatIsNotValid(t *testing.T) {
	r := serve(t, strings.Replace(aliceLocal, "groups staff", "groups guests", 1)+optionalSite, optionalSites)
	bad := get("http://app.example.com/")
	bad.Header.Set("Authorization", "Bearer gts_forged")
	wantStatus(t, r.do(bad), http.StatusUnauthorized)
	wantStatus(t, r.do(get("http://app.example.com/admin/")), http.StatusUnauthorized)
	wantStatus(t, r.do(navigation("http://app.example.com/admin/")), http.StatusSeeOther)
	wantStatus(t, r.do(navigation("http://app.example.com/admin/", r.signIn("app.example.com", asGuest))), http.StatusForbidden)
}

// An identity that a guard before has told is taken back.
func TestOptional_BehindAnotherGuard(t *testing.T) {
	r := serve(t, aliceLocal+"policy admins {\n\tallow group admins\n}\n",
		"http://app.example.com {\n\tgatehouse {\n\t\theaders {\n\t\t\tbasic_auth s3cret\n\t\t}\n\t}\n\tgatehouse admins {\n\t\toptional\n\t}\n"+echo+"}")
	rec := r.do(get("http://app.example.com/", r.signIn("app.example.com", nil)))
	wantStatus(t, rec, http.StatusOK)
	if body := rec.Body.String(); strings.Contains(body, "alice") || strings.Contains(body, "Authorization") || strings.Contains(body, "Remote-") {
		t.Errorf("the upstream sees\n%s", body)
	}
	wantStatus(t, r.do(get("http://app.example.com/")), http.StatusUnauthorized)
}

// So is what a guard before has granted: an upgrade, a token of the provider's.
func TestOptional_TakesGrantsBack(t *testing.T) {
	r := serve(t, aliceLocal+"policy admins {\n\tallow group admins\n}\n",
		"http://app.example.com {\n\tgatehouse {\n\t\tupgrades spdy/3.1\n\t}\n\tgatehouse admins {\n\t\toptional\n\t}\n"+echo+"}")
	req := get("http://app.example.com/", r.signIn("app.example.com", nil))
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "spdy/3.1")
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	if body := rec.Body.String(); strings.Contains(body, "spdy") || strings.Contains(body, "alice") {
		t.Errorf("the upstream sees\n%s", body)
	}
	v := &verdict{bearer: true}
	req.Header.Set("Authorization", "Bearer the-providers")
	if v.takeBack(req); req.Header.Get("Authorization") != "" {
		t.Error("the provider's token stays")
	}
}

func TestOptional_LeavesWhatTheAppSaysToCaches(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse {\n\t\toptional\n\t}\n\theader Cache-Control \"public, max-age=60\"\n\theader Vary accept-language,cookie\n\trespond ok\n}")
	for _, cookies := range [][]*http.Cookie{nil, {r.signIn("app.example.com", nil)}} {
		h := r.do(get("http://app.example.com/", cookies...)).Header()
		if got := strings.Join(h["Vary"], ","); got != "accept-language,cookie,Authorization,Gatehouse-Authorization" || h.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%v", h)
		}
	}
}

func TestOptional_ForwardAuthSaysYesToNobody(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.Replace(strings.ReplaceAll(gate, "PROXY", name), "hosts", "optional\n\t\thosts", 1))
		rec := r.do(asks(name, "GET", "/private/x"))
		if values, ok := rec.Header()["Remote-User"]; rec.Code != http.StatusOK || !ok || values[0] != "" {
			t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
		}
		if rec = r.do(asks(name, "GET", "/private/x", r.secureSignIn("app.corp.test"))); rec.Code != http.StatusOK || rec.Header().Get("Remote-User") != "alice" {
			t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
		}
	}
}

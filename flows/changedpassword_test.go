package flows_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// aliceWith is the configuration's answer to who alice is, with this password hash;
// "" is a configuration without her.
func (w *world) aliceWith(hash string) func(identity.Claims) (identity.Claims, error) {
	w.t.Helper()
	users := []local.User{{Name: "bob", PasswordHash: "$plain$builder", Comparer: plain{}}}
	if hash != "" {
		users = append(users, local.User{Name: "alice", PasswordHash: hash, Comparer: plain{}, Groups: []string{"staff"}})
	}
	p, err := local.New(local.Config{Name: "local", Now: w.clock.now, Users: users})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Current
}

// A changed password ends all that the former one began: browser sessions at the
// portal and at sites, refresh tokens, those of devices, what access tokens tell,
// and codes under way (OWASP ASVS 4.0, 3.3.3). Nothing of it is consumed: a
// configuration that is rolled back finds it as it was.
func TestChangedPassword_EndsAllThatTheFormerOneBegan(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	reload := func(hash string) {
		t.Helper()
		w.sessions.Configure(session.Settings{Current: w.aliceWith(hash)})
	}
	reload("$plain$wonderland")
	site := w.siteURL("app")
	b := newBrowser(t)
	b.get(site+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	web, cli := app{t, w, "web", "web-secret-of-enough-length"}, app{t, w, "cli", ""}
	params := func() url.Values { return authorizeParams("web", "https://web.test/cb", "openid offline_access") }
	granted := web.post("token", redeem(w.code(b.held(), params())))
	started := cli.device()
	w.approve(said{answer: started}, "alice", "wonderland", "approve")
	ofDevice := cli.poll(started)
	late := cli.device()
	w.approve(said{answer: late}, "alice", "wonderland", "approve")
	code := w.code(b.held(), params())

	status := func(raw string) int {
		return w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+raw).status
	}
	refresh := func(a app, raw string) answer {
		return a.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}})
	}
	refreshToken, ofDeviceToken := granted.text("refresh_token"), ofDevice.text("refresh_token")
	lives := func(when string) {
		t.Helper()
		b.get(site+"/").want(http.StatusOK, "hello alice")
		for name, raw := range map[string]string{"code": granted.text("access_token"), "device": ofDevice.text("access_token")} {
			if got := status(raw); got != http.StatusOK {
				t.Errorf("%s: userinfo answers %d to the token of the %s", when, got, name)
			}
		}
		if got := web.post("introspect", url.Values{"token": {refreshToken}}); got.body["active"] != true {
			t.Errorf("%s: the refresh token is %v", when, got.body)
		}
		again := refresh(web, refreshToken)
		if again.status != http.StatusOK {
			t.Errorf("%s: refreshing says %v", when, again.body)
		}
		refreshToken = again.text("refresh_token")
		again = refresh(cli, ofDeviceToken)
		if again.status != http.StatusOK {
			t.Errorf("%s: refreshing at the device says %v", when, again.body)
		}
		ofDeviceToken = again.text("refresh_token")
	}
	ended := func(when string) {
		t.Helper()
		b.get(site + "/")
		if b.last.StatusCode == http.StatusOK && b.last.Request.URL.Path == "/" {
			t.Errorf("%s: the site says %d %s", when, b.last.StatusCode, b.body)
		}
		for name, raw := range map[string]string{"code": granted.text("access_token"), "device": ofDevice.text("access_token")} {
			if got := status(raw); got != http.StatusUnauthorized {
				t.Errorf("%s: userinfo answers %d to the token of the %s", when, got, name)
			}
			if got := web.post("introspect", url.Values{"token": {raw}}); got.body["active"] != false {
				t.Errorf("%s: the access token of the %s is %v", when, name, got.body)
			}
		}
		if got := web.post("introspect", url.Values{"token": {refreshToken}}); got.body["active"] != false {
			t.Errorf("%s: the refresh token is %v", when, got.body)
		}
		for name, got := range map[string]answer{"web": refresh(web, refreshToken), "cli": refresh(cli, ofDeviceToken)} {
			if got.status != http.StatusBadRequest || got.text("error") != "invalid_grant" {
				t.Errorf("%s: refreshing at %s says %d %v", when, name, got.status, got.body)
			}
		}
	}
	lives("before")
	reload("$plain$wonderland")
	lives("after a reload with the same password")
	reload("$plain$looking-glass")
	ended("with another password")
	if got := web.post("token", redeem(code)); got.text("error") != "invalid_grant" {
		t.Errorf("a code of before says %d %v", got.status, got.body)
	}
	if got := cli.poll(late); got.text("error") != "invalid_grant" {
		t.Errorf("a device code of before says %d %v", got.status, got.body)
	}
	reload("")
	ended("without the user")
	reload("$plain$wonderland")
	w.clock.advance(2 * time.Second)
	lives("after the configuration was rolled back")
}

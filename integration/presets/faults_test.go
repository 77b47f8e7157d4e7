package presets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// ill is a provider that has a fault until it is well.
type ill struct {
	*provider

	fault http.HandlerFunc // answers where the metadata are
	well  atomic.Bool
}

func (p *ill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.well.Load() && strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		p.fault(w, r)
		return
	}
	p.provider.ServeHTTP(w, r)
}

// faults of metadata, and how the page, the log and the doctor tell them.
func faults(describe func() obj, write func(http.ResponseWriter, any)) map[string]struct {
	answer      http.HandlerFunc
	page, log   string
	permanently bool
} {
	const outage, misfit = "does not answer", "isn't set up correctly"
	type fault = struct {
		answer      http.HandlerFunc
		page, log   string
		permanently bool
	}
	changed := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			m := describe()
			m[name] = value
			write(w, m)
		}
	}
	return map[string]fault{
		"it hangs":   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, outage, "it did not answer in time", false},
		"it is down": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, outage, "answers 503", false},
		"10 MB": {func(w http.ResponseWriter, _ *http.Request) {
			for range 160 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		}, outage, "request body too large", false},
		"it redirects into the network": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:2019/config/", http.StatusFound)
		}, misfit, "redirects are not followed", true},
		"its keys are in the network":         {changed("jwks_uri", "https://169.254.169.254/keys"), misfit, "is at a private address", true},
		"its keys are there in other letters": {changed("jwks_uri", "https://\uff11\uff10.0.0.1/keys"), misfit, "is at a private address", true},
		"its issuer is another":               {changed("issuer", "https://evil.example"), misfit, "write the issuer as it does", true},
	}
}

// TestFaults: a provider that is ill keeps nobody from another, nor from a session that
// they have, and works when it is well. What no waiting mends is told apart from an
// outage, on the page, in the log and by the doctor.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name := range faults(nil, nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "it is down" && name != "it redirects into the network" {
				gateway.Soak(t)
			}
			tryFault(t, name)
		})
	}
}

func tryFault(t *testing.T, name string) {
	t.Helper()
	person := func(name string) obj {
		return obj{"email": name + "@example.com", "email_verified": true, "name": name}
	}
	sick := &ill{provider: newProvider(t, persona{issuer: sso, auth: "basic", idToken: person("alice")})}
	fault := faults(sick.describe, sick.write)[name]
	sick.fault = fault.answer
	sound := newProvider(t, persona{issuer: "https://other.example.com", auth: "basic", idToken: person("bob")})
	stage := newStage(t, internet{"sso.example.com": sick, "other.example.com": sound})
	app := upstream.Start(t)
	const client = " {\nclient_id gatehouse\nclient_secret {env.CLIENT_SECRET}\n}\n"
	node := gateway.Start(t, gateway.Options{
		Caddyfile: "{\ngatehouse {\nprovider sick oidc " + sso + client + "provider sound oidc https://other.example.com" + client + "}\n}\n" +
			site + " {\ngatehouse\nreverse_proxy " + app.Addr + "\n}\n",
		Env: []string{"CLIENT_SECRET=" + clientSecret, "HTTPS_PROXY=" + stage.proxy, "SSL_CERT_FILE=" + stage.caFile},
	})
	choose := func(b *browser.Browser, provider string) *browser.Page {
		for text, link := range b.Open(site + "/").Links() {
			if strings.Contains(text, provider) {
				return b.Open(link)
			}
		}
		t.Errorf("%s is not offered", provider)
		return &browser.Page{}
	}
	bob := newBrowser(t, node, stage)
	if page := choose(bob, "sound"); page.Status != http.StatusOK {
		t.Fatalf("by the other provider: %d %s", page.Status, page.Text())
	}
	// While somebody waits for the one that is ill, the others go on.
	ended := make(chan *browser.Page)
	alice := newBrowser(t, node, stage)
	go func() { ended <- choose(alice, "sick") }()
	for range 3 {
		if page := choose(newBrowser(t, node, stage), "sound"); page.Status != http.StatusOK {
			t.Errorf("by the other provider: %d %s", page.Status, page.Text())
		}
		if page := bob.Open(site + "/"); page.Status != http.StatusOK {
			t.Errorf("who is signed in: %d %s", page.Status, page.Text())
		}
	}
	page := <-ended
	if page.Status != http.StatusBadGateway || !strings.Contains(page.Text(), fault.page) {
		t.Errorf("by the one that is ill: %d %s", page.Status, page.Text())
	}
	verdict := "provider is unavailable\",\"provider\""
	if fault.permanently {
		verdict = "nobody can sign in until that is mended"
	}
	for _, what := range []string{fault.log, verdict} {
		node.Log.Await(t, 0, what, time.Minute)
	}
	report, err := node.Admin(t, "GET", "/gatehouse/health?status=200&providers=true", "", "")
	if err != nil || !strings.Contains(report, fault.log) || strings.Contains(report, "not configured correctly") != fault.permanently || strings.Count(report, `"state":"ok"`) != 1 {
		t.Errorf("the doctor says %s (%v)", report, err)
	}
	sick.well.Store(true)
	eventually(t, "it is well, and nobody can sign in there", func() bool { return choose(newBrowser(t, node, stage), "sick").Status == http.StatusOK })
}

// TestKeysRotate: a provider that changes its keys between two sign-ins, or during one,
// keeps nobody out.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p := newProvider(t, persona{issuer: sso, auth: "basic", idToken: obj{"email": "alice@example.com", "email_verified": true}})
	stage := newStage(t, p)
	app := upstream.Start(t)
	node := gateway.Start(t, gateway.Options{
		Caddyfile: "{\ngatehouse {\nprovider sso oidc " + sso + " {\nclient_id gatehouse\nclient_secret {env.CLIENT_SECRET}\n}\n}\n}\n" +
			site + " {\ngatehouse\nreverse_proxy " + app.Addr + "\n}\n",
		Env: []string{"CLIENT_SECRET=" + clientSecret, "HTTPS_PROXY=" + stage.proxy, "SSL_CERT_FILE=" + stage.caFile},
	})
	first := newBrowser(t, node, stage)
	if page := first.Open(site + "/"); page.Status != http.StatusOK {
		t.Fatalf("with the first key: %d %s", page.Status, page.Text())
	}
	b := newBrowser(t, node, stage)
	b.StopAt("/callback/")
	to := b.Open(site + "/").Next()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil || to == nil {
		t.Fatal(err)
	}
	p.rotate(key, "2")
	b.StopAt("")
	// The keys may have been fetched within this second.
	eventually(t, "with the second key nobody can sign in", func() bool {
		return b.Open(to.String()).Status == http.StatusOK || newBrowser(t, node, stage).Open(site+"/").Status == http.StatusOK
	})
	if page := first.Open(site + "/"); page.Status != http.StatusOK {
		t.Errorf("who is signed in: %d %s", page.Status, page.Text())
	}
}

// eventually tries until something is so, for what a minute's back-off needs at most.
func eventually(t *testing.T, otherwise string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

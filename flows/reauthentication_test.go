package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// timeless is a provider that does not tell when somebody signed in.
type timeless struct{ provider.Redirect }

func (p timeless) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	c.MaxAge = -1
	result, err := p.Redirect.Exchange(ctx, c)
	result.Claims.AuthTime = time.Time{}
	return result, err
}

// viaProvider has a client's request go through the provider to its end. The
// provider does not hear of what is unheard.
func viaProvider(t *testing.T, b *browser, rp *world, params url.Values, unheard ...string) url.Values {
	t.Helper()
	next := rp.portalURL() + "/authorize?" + params.Encode()
	for range 6 {
		b.get(next)
		to, err := b.last.Request.URL.Parse(b.last.Header.Get("Location"))
		if err != nil || b.last.Header.Get("Location") == "" {
			t.Fatalf("lost at %s: %d %s", b.last.Request.URL, b.last.StatusCode, b.body)
		}
		if strings.HasPrefix(to.String(), params.Get("redirect_uri")) {
			return to.Query()
		}
		to.RawQuery = with(to.Query(), drop(unheard...)).Encode()
		next = to.String()
	}
	t.Fatal("the client was not reached")
	return nil
}

// OpenID Connect Core, sections 3.1.2.1 and 3.1.3.7: a provider may do other than it
// was asked to. What it says of the time is held against what the client asked for,
// a minute of difference between the clocks allowed.
func TestReauthentication_IsHeldAgainstWhatTheProviderSays(t *testing.T) {
	for name, wrap := range map[string]func(provider.Redirect) provider.Provider{
		"a provider that tells the time": func(p provider.Redirect) provider.Provider { return p },
		"one that does not":              func(p provider.Redirect) provider.Provider { return timeless{p} },
	} {
		told := name == "a provider that tells the time"
		op, rp := twoWorldsWrapped(t, worldOptions{portal: true, clients: oauthClients()}, wrap)
		op.clock.hold(0)
		rp.clock.hold(0)
		for _, c := range []struct {
			name   string
			ago    time.Duration
			change func(url.Values)
			error  bool // where the time is told
			claims bool // whether there is an auth_time where it is not
			none   bool // error where it is not told
		}{
			{"nothing asked for", 1000 * time.Second, nil, false, false, false},
			{"prompt=login", 1000 * time.Second, set("prompt", "login"), true, false, true},
			{"prompt=login, an account too", 1000 * time.Second, set("prompt", "login select_account"), true, false, true},
			{"prompt=login, within the clocks' difference", 50 * time.Second, set("prompt", "login"), false, false, true},
			{"prompt=login, beyond it", 70 * time.Second, set("prompt", "login"), true, false, true},
			{"prompt=select_account", 1000 * time.Second, set("prompt", "select_account"), false, false, false},
			{"max_age", 1000 * time.Second, set("max_age", "900"), true, false, true},
			{"max_age, within the clocks' difference", 1000 * time.Second, set("max_age", "950"), false, false, true},
			{"max_age=0", 1000 * time.Second, set("max_age", "0"), true, false, true},
		} {
			b := newBrowser(t).held()
			b.get(op.portalURL()+"/device").signIn("alice", "wonderland").want(http.StatusOK, "code")
			op.clock.advance(c.ago)
			rp.clock.advance(c.ago)
			got := viaProvider(t, b, rp, with(authorizeParams("web", "https://web.test/cb", "openid"), c.change), "prompt", "max_age")
			if refused := told && c.error || !told && c.none; refused {
				if got.Get("error") != "login_required" || got.Get("state") == "" || got.Get("iss") != rp.portalURL() {
					t.Errorf("%s, %s: %v", name, c.name, got)
				}
				continue
			}
			if got.Get("code") == "" {
				t.Errorf("%s, %s: %v", name, c.name, got)
				continue
			}
			_, claims := claimsOf(t, rp.call("token", redeem(got.Get("code")), basic("web")).answer.text("id_token"))
			if at, ok := claims["auth_time"].(float64); ok != (told || c.claims) || ok && !told && rp.clock.now().Sub(time.Unix(int64(at), 0)) > 30*time.Second {
				t.Errorf("%s, %s: auth_time %v", name, c.name, claims["auth_time"])
			}
		}
		// A sign-in for a site of our own claims nothing to anybody.
		b := newBrowser(t)
		b.held().get(op.portalURL()+"/device").signIn("alice", "wonderland").want(http.StatusOK, "code")
		b.get(rp.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	}
}

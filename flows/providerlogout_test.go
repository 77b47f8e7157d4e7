package flows_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// signsOut is a provider whose block says sign_out.
type signsOut struct{ *oidc.Provider }

func (signsOut) SignsOut() bool { return true }

// awayAtSignOut does not answer when somebody signs out.
type awayAtSignOut struct{ signsOut }

func (awayAtSignOut) EndSessionURL(context.Context, string, string, string) (string, error) {
	return "", errors.New("no answer")
}

// live counts the sessions that have not ended.
func (w *world) live() (n int) {
	w.t.Helper()
	rows, err := w.store.ListSessions(w.t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		if row.RevokedAt.IsZero() {
			n++
		}
	}
	return n
}

// TestSignOut_AtTheProvider: with sign_out, who signs out here is signed out at the
// provider too, by its own session and without a further question (field case D13; a
// sign-out that leaves the provider's session alone signs the next person at the
// computer in silently).
func TestSignOut_AtTheProvider(t *testing.T) {
	for name, portal := range map[string]bool{"a site of its own": false, "a portal": true} {
		t.Run(name, func(t *testing.T) {
			op, rp := twoWorldsWrapped(t, worldOptions{portal: portal, portalHost: "auth.test"}, func(p provider.Redirect) provider.Provider {
				return signsOut{p.(*oidc.Provider)}
			})
			b := newBrowser(t)
			b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
			if op.live() == 0 || rp.live() == 0 {
				t.Fatal("nobody is signed in")
			}
			b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
			back := rp.siteURL("app")
			if portal {
				back = rp.portalURL()
			}
			if got := b.last.Request.URL.Scheme + "://" + b.last.Request.URL.Host; got != back {
				t.Errorf("it ended at %s, want %s", got, back)
			}
			if op.live() != 0 || rp.live() != 0 {
				t.Errorf("%d sessions live at the provider, %d here", op.live(), rp.live())
			}
			b.get(rp.siteURL("app")+"/").want(200, "password")
		})
	}
}

// TestSignOut_GoesOnToTheClient: a client's post_logout_redirect_uri is where it ends.
func TestSignOut_GoesOnToTheClient(t *testing.T) {
	web := &client.Client{
		ID: "web", Secrets: []client.Secret{client.NewSecret("web-secret-of-enough-length")}, RedirectURIs: []string{"https://web.test/cb"},
		PostLogoutRedirectURIs: []string{"https://web.test/bye"},
	}
	op, rp := twoWorldsWrapped(t, worldOptions{portal: true, portalHost: "auth.test", clients: []*client.Client{web}}, func(p provider.Redirect) provider.Provider {
		return signsOut{p.(*oidc.Provider)}
	})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	query := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"s1"}}
	held := b.held()
	held.get(rp.portalURL() + "/logout?" + query.Encode()).submit(nil)
	for range 3 {
		location, err := held.last.Request.URL.Parse(held.last.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if location.Host == "web.test" {
			if location.String() != "https://web.test/bye?state=s1" {
				t.Errorf("it ends at %s", location)
			}
			if op.live() != 0 {
				t.Error("the session at the provider lives")
			}
			return
		}
		held.get(location.String())
	}
	t.Errorf("it ended at %s: %s", held.last.Request.URL, held.body)
}

// TestSignOut_ProviderAway: a provider that does not answer keeps nobody signed in.
func TestSignOut_ProviderAway(t *testing.T) {
	_, rp := twoWorldsWrapped(t, worldOptions{}, func(p provider.Redirect) provider.Provider {
		return awayAtSignOut{signsOut{p.(*oidc.Provider)}}
	})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
	if rp.live() != 0 {
		t.Error("the session lives")
	}
}

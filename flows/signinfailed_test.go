package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Who is not let in any more since the page was shown is told so.
func TestSignIn_GoneMeanwhile(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app") + "/")
	w.sessions.Configure(session.Settings{Current: func(identity.Claims) (identity.Claims, error) {
		return identity.Claims{}, provider.ErrGone
	}})
	b.signIn("alice", "wonderland").want(http.StatusForbidden, "no longer allowed in here")
}

// openFlows notes which flows were begun and neither finished nor forgotten.
type openFlows struct {
	cache.Store
	mu   sync.Mutex
	open map[string]bool
}

func (o *openFlows) note(key string, open bool, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.open[key] = open
	}
	return err
}

func (o *openFlows) StartFlow(ctx context.Context, f cache.NewFlow) error {
	return o.note(f.Key, true, o.Store.StartFlow(ctx, f))
}

func (o *openFlows) AdvanceFlow(ctx context.Context, t cache.Transition) (cache.Flow, error) {
	f, err := o.Store.AdvanceFlow(ctx, t)
	return f, o.note(t.Key, t.To == cache.Pending, err)
}

func (o *openFlows) DeleteFlow(ctx context.Context, key, owner string) error {
	return o.note(key, false, o.Store.DeleteFlow(ctx, key, owner))
}

// A sign-in that has ended counts as unfinished no longer, however it ended.
func TestSignIn_LeavesNoFlowBehind(t *testing.T) {
	flows := &openFlows{open: map[string]bool{}}
	clients := append(deviceClients(), &client.Client{
		ID: "barred", Public: true, Policy: onlyAlice{}, Scopes: []string{"openid"}, RedirectURIs: []string{"https://barred.test/cb"},
	})
	_, rp := twoWorldsWith(t, worldOptions{clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		flows.Store = c
		return s, flows
	}})
	here := rp.siteURL("app") + "/.gatehouse/"
	started := rp.send(http.MethodPost, here+"device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}}.Encode(), formType)
	b := newBrowser(t)
	b.get(started.answer.text("verification_uri_complete")).signIn("alice", "wonderland").want(http.StatusOK, started.answer.text("user_code"))
	b.submit(url.Values{"decision": {"approve"}}).want(http.StatusOK, "")

	stranger := newBrowser(t)
	stranger.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "barred.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	stranger.get(here+"authorize?"+authorizeParams("barred", "https://barred.test/cb", "openid").Encode()).signIn("bob", "builder")
	if to, err := url.Parse(stranger.last.Header.Get("Location")); err != nil || to.Query().Get("error") != "access_denied" {
		t.Errorf("%d to %s", stranger.last.StatusCode, to)
	}
	flows.mu.Lock()
	defer flows.mu.Unlock()
	for key, open := range flows.open {
		if open {
			t.Errorf("%s is still open", key)
		}
	}
	if len(flows.open) < 3 {
		t.Errorf("only %d flows were begun", len(flows.open))
	}
}

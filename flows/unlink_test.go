package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// faulty is a store of which one call fails.
type faulty struct {
	tokenstore.Store
	good int // calls until then; negative: none fails
	// meanwhile is done before an identity is unlinked, or a token is stored.
	meanwhile func()
}

func (f *faulty) fails() error {
	if f.good--; f.good == 0 {
		return tokenstore.ErrUnavailable
	}
	return nil
}

func (f *faulty) passes() {
	if do := f.meanwhile; do != nil {
		f.meanwhile = nil
		do()
	}
}

func (f *faulty) Identities(ctx context.Context, subject string) ([]tokenstore.Identity, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.Identities(ctx, subject)
}

func (f *faulty) Unlink(ctx context.Context, subject string, id tokenstore.Identity) error {
	if err := f.fails(); err != nil {
		return err
	}
	f.passes()
	return f.Store.Unlink(ctx, subject, id)
}

func (f *faulty) Delegations(ctx context.Context, subject string) ([]tokenstore.Delegation, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.Delegations(ctx, subject)
}

func (f *faulty) DeleteDelegations(ctx context.Context, subject, issuer string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Store.DeleteDelegations(ctx, subject, issuer)
}

func (f *faulty) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.ListSessions(ctx, q)
}

func (f *faulty) DeleteProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery, quiet bool) ([]tokenstore.ProviderToken, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.DeleteProviderTokens(ctx, q, quiet)
}

func (f *faulty) ListProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]tokenstore.ProviderToken, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.ListProviderTokens(ctx, q)
}

func (f *faulty) StoreProviderToken(ctx context.Context, t tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, error) {
	f.passes()
	return f.Store.StoreProviderToken(ctx, t, o)
}

// on has the world's gateway and vault use a store.
func (w hubbed) on(store tokenstore.Store) {
	w.t.Helper()
	config := w.gateway.Config
	config.Store = store
	var err error
	config.Vault, err = vault.New(vault.Config{
		Store: store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger,
		Sources: []vault.Source{{Provider: config.Providers[len(config.Providers)-1], Scopes: []string{"gist"}}},
	})
	if err == nil {
		w.world.gateway, err = flows.New(config)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// nothingOfGitHub wants nothing to be left of the account there.
func (w hubbed) nothingOfGitHub(what, subject string) {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := w.store.ProviderToken(ctx, subject, w.hub.url); !errors.Is(err, tokenstore.ErrNotFound) {
		w.t.Errorf("%s: the token is there: %v", what, err)
	}
	if rows, err := w.store.Delegations(ctx, subject); err != nil || len(rows) > 0 {
		w.t.Errorf("%s: still allowed are %v, %v", what, rows, err)
	}
	if ids, err := w.store.Identities(ctx, subject); err != nil || len(ids) != 1 {
		w.t.Errorf("%s: linked are %v, %v", what, ids, err)
	}
	rows, err := w.store.ListSessions(ctx, tokenstore.SessionQuery{Subject: subject})
	if err != nil {
		w.t.Error(err)
	}
	for _, row := range rows {
		if claims, err := w.gateway.Sessions.Claims(row); err == nil && claims.Provider == "github" {
			w.t.Errorf("%s: a session by the account lives", what)
		}
	}
}

// linkedTo is somebody who linked GitHub, signed in by it too, and let a client act there.
func (w hubbed) linkedTo() (b *browser, subject string, account tokenstore.Identity) {
	w.t.Helper()
	b = w.arrives("alice", "wonderland")
	w.links(b).want(http.StatusOK, "hello alice")
	byGitHub := newBrowser(w.t)
	byGitHub.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")
	subject = w.subjectOf("alice")
	if err := w.store.SetDelegation(w.t.Context(), tokenstore.Delegation{Subject: subject, ClientID: "pilots", Provider: w.hub.url, AllowedAt: w.clock.now()}); err != nil {
		w.t.Fatal(err)
	}
	return b, subject, tokenstore.Identity{Issuer: w.hub.url, Subject: "7"}
}

// identityButton is what the first button sends that disconnects an account.
func identityButton(t *testing.T, body string) string {
	t.Helper()
	button := regexp.MustCompile(`name="identity" value="([^"]+)"`).FindStringSubmatch(body)
	if button == nil {
		t.Fatal("there is no button that disconnects")
	}
	return button[1]
}

// Wherever an unlink fails, another finishes it: by a command, or on the person's own
// page, where the account may not be listed any more.
func TestUnlink_IsFinishedByAnother(t *testing.T) {
	for failing, failed := 1, true; failed; failing++ {
		for _, byPage := range []bool{false, true} {
			w := newLinking(t, true)
			b, subject, account := w.linkedTo()
			b.get(w.portalURL() + "/")
			button := b.last
			body := b.body
			f := &faulty{Store: w.store, good: failing}
			w.on(f)
			err := w.gateway.Unlink(t.Context(), subject, account)
			if failed = err != nil; failed && !errors.Is(err, tokenstore.ErrUnavailable) {
				t.Fatal(err)
			}
			f.good = -1
			what := fmt.Sprintf("call %d fails, page: %t", failing, byPage)
			switch {
			case !failed:
			case byPage:
				b.last, b.body = button, body
				b.submit(map[string][]string{"identity": {identityButton(t, body)}}).want(http.StatusOK, "Disconnected.")
			default:
				if err := w.gateway.Unlink(t.Context(), subject, account); err != nil {
					t.Errorf("%s: another: %v", what, err)
				}
			}
			w.nothingOfGitHub(what, subject)
			if err := w.gateway.Unlink(t.Context(), subject, account); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("%s: once more: %v", what, err)
			}
		}
		if failing > 40 {
			t.Fatal("it never succeeds")
		}
	}
}

// A token that a sign-in brings beside an unlink does not outlive it, whichever comes
// first.
func TestUnlink_BesideASignIn(t *testing.T) {
	w := newLinking(t, true)
	_, subject, account := w.linkedTo()
	f := &faulty{Store: w.store, good: -1}
	w.on(f)
	f.meanwhile = func() {
		if err := w.gateway.Unlink(t.Context(), subject, account); err != nil {
			t.Error(err)
		}
	}
	b := newBrowser(t)
	b.get(w.siteURL("app") + deepURL).follow("GitHub")
	if f.meanwhile != nil {
		t.Fatal("no token was stored")
	}
	w.nothingOfGitHub("unlinked before the token is stored", subject)

	w = newLinking(t, true)
	_, subject, account = w.linkedTo()
	f = &faulty{Store: w.store, good: -1}
	w.on(f)
	f.meanwhile = func() {
		if _, err := w.gateway.Vault.Put(t.Context(), subject, "github", provider.Token{AccessToken: "gho_late", TokenType: "bearer", Scope: "repo"}); err != nil {
			t.Error(err)
		}
	}
	if err := w.gateway.Unlink(t.Context(), subject, account); err != nil || f.meanwhile != nil {
		t.Fatal(err, "no identity was unlinked")
	}
	w.nothingOfGitHub("unlinked after the token is stored", subject)
}

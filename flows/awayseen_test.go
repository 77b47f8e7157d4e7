package flows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// place is what the pilots' permission of somebody is sealed for.
func (p pilots) place(subject string) []byte {
	place, err := json.Marshal([]string{"delegation", subject, "pilots", p.hub.url})
	if err != nil {
		p.t.Fatal(err)
	}
	return place
}

// delegation is what the store has of the pilots.
func (p pilots) delegation(subject string) tokenstore.Delegation {
	p.t.Helper()
	row, err := p.store.Delegation(p.t.Context(), subject, "pilots", p.hub.url)
	if err != nil {
		p.t.Fatal(err)
	}
	return row
}

func (p pilots) endAll(subject string) {
	p.t.Helper()
	if err := p.gateway.EndSubject(p.t.Context(), subject); err != nil {
		p.t.Fatal(err)
	}
}

// Who allowed it by an account that is linked no more, or was not seen for 90 days, is
// nobody as whom a service may act, though an unlink came no further than that.
func TestAway_WhoAllowedItIsStillThem(t *testing.T) {
	p := newPilots(t, nil, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "allow", "Allowed by you")
	row := p.delegation(ann)

	for name, claims := range map[string]string{"of another account": `{"iss":"https://other.test","sub":"x"}`, "of another one there": `{"iss":"` + p.hub.url + `","sub":"8"}`} {
		spoilt := row
		spoilt.Claims = p.gateway.Config.Keyring.Seal("delegation", p.place(ann), []byte(claims))
		if err := p.store.SetDelegation(t.Context(), spoilt); err != nil {
			t.Fatal(err)
		}
		p.endAll(ann)
		p.refuses(name, p.asks(ann), "interaction_required")
	}
	if err := p.store.SetDelegation(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(89 * 24 * time.Hour)
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Fatalf("after 89 days: %d %v", got.status, got.body)
	}
	p.clock.advance(2 * 24 * time.Hour)
	p.refuses("after 91 days", p.asks(ann), "interaction_required")
	// Signing in is enough, and counts from then on.
	b = newBrowser(t)
	p.opens(b, 2)
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("signed in again: %d %v", got.status, got.body)
	}
	p.endAll(ann)
	p.clock.advance(60 * 24 * time.Hour)
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("60 days after that: %d %v", got.status, got.body)
	}
	if err := p.store.Link(t.Context(), ann, tokenstore.Identity{Issuer: "https://other.test", Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := p.store.Unlink(t.Context(), ann, tokenstore.Identity{Issuer: p.hub.url, Subject: "7"}); err != nil {
		t.Fatal(err)
	}
	p.refuses("of an unlink that failed half-way", p.asks(ann), "interaction_required")
}

// What somebody has lost since they allowed it does not come back when they sign out.
func TestAway_WhatWasLostStaysLost(t *testing.T) {
	p := newPilots(t, func(id *identity.Identity) bool { return id.Name != "Left" }, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "allow", "Allowed by you")
	p.endAll(ann)
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Fatalf("as of the time when it was allowed: %d %v", got.status, got.body)
	}
	p.hub.set(func() { p.hub.name = "Left" })
	b = newBrowser(t)
	p.clock.advance(time.Minute)
	b.get(p.siteURL("app") + "/")
	p.endAll(ann)
	p.refuses("as of the last session", p.asks(ann), "interaction_required")
	plain, err := p.gateway.Config.Keyring.Open("delegation", p.place(ann), p.delegation(ann).Claims)
	if err != nil || !strings.Contains(string(plain), `"name":"Left"`) {
		t.Errorf("kept beyond that session is %s, %v", plain, err)
	}
}

// The page says that the rules keep a client from what the person allowed.
func TestAway_ThePageSaysWhatIsBarred(t *testing.T) {
	barred := false
	p := newPilots(t, func(*identity.Identity) bool { return !barred }, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	p.says(b, "allow", "Allowed by you")
	if strings.Contains(b.body, "let it act") {
		t.Errorf("the page says so of one that may: %s", b.body)
	}
	barred = true
	p.refuses("refused by the client's policy", p.asks(p.subject()), "interaction_required")
	b.get(p.portalURL()+"/").want(http.StatusOK, "Allowed by you").want(http.StatusOK, "let it act at the moment").want(http.StatusOK, `name="forbid"`)
}

// slowTokens has something happen while a token is had.
type slowTokens struct {
	tokenstore.ProviderTokens
	meanwhile func()
}

func (s *slowTokens) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	row, err := s.ProviderTokens.ProviderToken(ctx, subject, provider)
	if s.meanwhile != nil {
		s.meanwhile()
		s.meanwhile = nil
	}
	return row, err
}

// What ends while the provider is asked lets no token out.
func TestAway_EndsWhileTheTokenIsHad(t *testing.T) {
	ends := map[string]func(p pilots, ann string) error{
		"forbidden": func(p pilots, ann string) error {
			return p.store.SetDelegation(t.Context(), tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: p.hub.url, ForbiddenAt: p.clock.now()})
		},
		"suspended": func(p pilots, ann string) error { return p.gateway.Suspend(t.Context(), ann, true) },
		"unlinked": func(p pilots, ann string) error {
			if err := p.store.Link(t.Context(), ann, tokenstore.Identity{Issuer: "https://other.test", Subject: "x"}); err != nil {
				return err
			}
			return p.gateway.Unlink(t.Context(), ann, tokenstore.Identity{Issuer: p.hub.url, Subject: "7"})
		},
	}
	for how, end := range ends {
		for name, unasked := range map[string]rule{"by the person": nil, "by a policy": func(*identity.Identity) bool { return true }} {
			for _, again := range []bool{false, true} {
				p := newPilots(t, nil, unasked)
				slow := &slowTokens{ProviderTokens: p.store}
				config := p.gateway.Config
				var err error
				config.Vault, err = vault.New(vault.Config{
					Store: slow, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: config.Providers[0], Scopes: []string{"gist"}}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if p.world.gateway, err = flows.New(config); err != nil {
					t.Fatal(err)
				}
				b := newBrowser(t)
				p.opens(b, 1)
				ann := p.subject()
				if unasked == nil {
					p.says(b, "allow", "Allowed by you")
				}
				delivered := 0
				if again { // within the minute of a use
					if got := p.asks(ann); got.status != http.StatusOK {
						t.Fatalf("%s %s: %d %v", how, name, got.status, got.body)
					}
					delivered++
				}
				slow.meanwhile = func() {
					if err := end(p, ann); err != nil {
						t.Error(err)
					}
				}
				p.gateway.Vault.Forget(ann)
				p.refuses(how+", "+name, p.asks(ann), "interaction_required")
				if slow.meanwhile != nil {
					t.Error("the token was not looked up")
				}
				for _, e := range *p.events {
					if e["name"] == "provider_token_delivered" {
						delivered--
					}
				}
				if delivered != 0 {
					t.Errorf("%s, %s: there is an event of a delivery that was none", how, name)
				}
			}
		}
	}
}

// The same holds for who is there, and sends their own token.
func TestRFC8693_EndsWhileTheTokenIsHad(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	slow := &slowTokens{ProviderTokens: w.store}
	config := w.gateway.Config
	var err error
	config.Vault, err = vault.New(vault.Config{
		Store: slow, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: config.Providers[0], Scopes: []string{"gist"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.world.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	batch := app{t, w.world, "batch", batchSecret}
	b := newBrowser(t)
	w.opens(b, 1)
	own := w.accessTokenOf(b, batch, "https://batch.test/cb", "openid", nil)
	slow.meanwhile = func() {
		if err := w.gateway.EndSubject(t.Context(), w.subject()); err != nil {
			t.Error(err)
		}
	}
	w.gateway.Vault.Forget(w.subject())
	if got := batch.send(exchange(own)); got.status != http.StatusBadRequest || got.text("error") != "invalid_request" || got.body["access_token"] != nil {
		t.Errorf("of a session that ended while the token was had: %d %v", got.status, got.body)
	}
}

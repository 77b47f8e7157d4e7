package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/foreign"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// acceptsCI is a provider whose tokens a guard takes, from two of its users.
func acceptsCI(o *tokenIssuer) string {
	return aliceLocal + "provider ci oidc " + o.URL + " {\n\tuser_claim sub\n\taccept_tokens {\n\t\taudience http://app.example.com\n\t}\n}\npolicy jobs {\n\tallow user job provider ci\n\tallow provider local\n}\n"
}

func (r *running) foreign() *foreign.Verifier {
	return r.app.running(r.t.Context()).Guard().Foreign
}

// What began by another issuer's token ends when the policies refuse who it is of by now,
// and when a reload has the provider's tokens not taken any more.
func TestStream_EndsWithATokenOfAnother(t *testing.T) {
	o := newTokenIssuer(t, false)
	dir, app := t.TempDir(), streams(t)
	site := func(option string) string {
		return "http://app.example.com {\n\tgatehouse jobs {\n\t\t" + option + "\n\t}\n\treverse_proxy " + app + "\n}"
	}
	first, err := start(t, config(t, dir, acceptsCI(o), site("accept_tokens ci")))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(first.srv[":80"])
	t.Cleanup(front.Close)
	token := o.token(object{"typ": "at+jwt"}, object{"aud": "http://app.example.com", "sub": "job"})
	open := func() openedStream {
		return openStream(t, front, "Host: app.example.com\r\nAuthorization: Bearer "+token+"\r\nAccept: text/event-stream\r\n")
	}
	refused := open()
	known, err := first.foreign().Verify(t.Context(), "ci", token)
	if err != nil {
		t.Fatal(err)
	}
	other := *known.Identity
	other.User = "another"
	known.Identity.Accepted.Confirm(&other, time.Now())
	refused.wantEnd(t)
	known.Identity.Accepted.Confirm(known.Identity, time.Now())

	goesOn := open()
	second, err := start(t, config(t, dir, aliceLocal+"policy jobs {\n\tallow user alice\n}\n", site("dry_run")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.stop)
	first.stop()
	goesOn.wantEnd(t)
}

// A site that does not go on without the store does not for tokens of others either.
func TestServeStale_OfTokensOfOthers(t *testing.T) {
	o := newTokenIssuer(t, false)
	r := serve(t, acceptsCI(o), "http://app.example.com {\n\tgatehouse /strict/* jobs {\n\t\taccept_tokens ci\n\t\tserve_stale off\n\t}\n"+
		"\tgatehouse jobs {\n\t\taccept_tokens ci\n\t}\n"+echo+"}")
	token := o.token(object{"typ": "at+jwt"}, object{"aud": "http://app.example.com", "sub": "job"})
	wantBoth := func(strict, other int) {
		t.Helper()
		wantStatus(t, r.do(bearing("http://app.example.com/strict/x", "Bearer", token)), strict)
		wantStatus(t, r.do(bearing("http://app.example.com/x", "Bearer", token)), other)
	}
	wantBoth(http.StatusOK, http.StatusOK)
	known, err := r.foreign().Verify(t.Context(), "ci", token)
	if err != nil {
		t.Fatal(err)
	}
	store := r.foreign().Store
	r.foreign().Store = awayStore{store}
	known.Identity.Accepted.Confirm(known.Identity, time.Now().Add(-2*time.Minute))
	wantBoth(http.StatusServiceUnavailable, http.StatusOK)
	known.Identity.Accepted.Confirm(known.Identity, time.Now().Add(-11*time.Minute))
	wantBoth(http.StatusServiceUnavailable, http.StatusServiceUnavailable)
}

// awayStore does not answer who a subject is.
type awayStore struct{ tokenstore.Store }

func (awayStore) FindSubject(context.Context, tokenstore.Identity) (tokenstore.Subject, error) {
	return tokenstore.Subject{}, errors.New("the store is away")
}

package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// faultyStore fails every rotation.
type faultyStore struct {
	tokenstore.Store
	err *error
}

func (s faultyStore) Rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	if *s.err != nil {
		return tokenstore.RotationResult{}, fmt.Errorf("rotating refresh token: %w", *s.err)
	}
	return s.Store.Rotate(ctx, r)
}

// A client throws its refresh token away when it is told invalid_grant, so that
// only a verdict may be told so. Everything else is worth another try, and a line
// in the log.
func TestOAuthError_OnlyAVerdictEndsAGrant(t *testing.T) {
	var fault error
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return faultyStore{s, &fault}, c
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	current := w.tokens(w.signedInBrowser(), nil).answer.text("refresh_token")
	for _, tt := range []struct {
		err    error
		status int
		code   string
		logged bool
	}{
		{tokenstore.ErrNotFound, 400, "invalid_grant", false},
		{tokenstore.ErrRevoked, 400, "invalid_grant", false},
		{tokenstore.ErrExpired, 400, "invalid_grant", false},
		{tokenstore.ErrSuspended, 400, "invalid_grant", false},
		{tokenstore.ErrMismatch, 400, "invalid_grant", false},
		{tokenstore.ErrInvalid, 400, "invalid_request", false},
		{tokenstore.ErrUnavailable, 503, "temporarily_unavailable", true},
		{errors.Join(tokenstore.ErrUnavailable, tokenstore.ErrNotFound), 503, "temporarily_unavailable", true},
		{tokenstore.ErrConflict, 503, "temporarily_unavailable", true},
		{tokenstore.ErrSchemaTooNew, 503, "temporarily_unavailable", true},
		{errors.New("ERROR: permission denied for table session (SQLSTATE 42501)"), 503, "temporarily_unavailable", true},
		{context.DeadlineExceeded, 503, "temporarily_unavailable", true},
		{nil, 200, "", false},
	} {
		fault = tt.err
		before := w.logs.Len()
		got := web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current}})
		if got.status != tt.status || got.text("error") != tt.code {
			t.Errorf("%v: %d %v, want %d %s", tt.err, got.status, got.body, tt.status, tt.code)
		}
		if (got.header.Get("Retry-After") != "") != (tt.status == http.StatusServiceUnavailable) {
			t.Errorf("%v: Retry-After is %q", tt.err, got.header.Get("Retry-After"))
		}
		line := w.logs.String()[before:]
		if strings.Contains(line, "token request") != tt.logged || tt.logged && !strings.Contains(line, strings.Split(tt.err.Error(), "\n")[0]) {
			t.Errorf("%v: logged %q", tt.err, line)
		}
		if strings.Contains(w.logs.String(), current) {
			t.Fatalf("%v: the token was logged", tt.err)
		}
	}
}

package caddymodule

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func TestServeOwn_LeavesOutAnswersWhoseHeadersHoldASecret(t *testing.T) {
	a := &App{logger: slog.New(slog.DiscardHandler)}
	for name, tt := range map[string]struct {
		header, value string
		skipped       bool
	}{
		"redirect with a code":    {"Location", "https://app.test/cb?code=x&state=y", true},
		"refresh with a code":     {"Refresh", "0; url=https://app.test/cb?code=x&iss=y", true},
		"refresh, quoted":         {"Refresh", `0; url="https://app.test/cb?a=b&code=x"`, true},
		"refresh to a native app": {"Refresh", "0; url=com.example.app:/cb?state=x", true},
		"htmx":                    {"HX-Redirect", "/.gatehouse/callback?code=x", true},
		"link":                    {"Link", `</a>; rel=next, </b?request=x>; rel=prev`, true},
		"fragment":                {"Location", "https://app.test/cb#access_token=x", true},
		"redirect without":        {"Location", "/reports?year=2026", false},
		"return to an app's own":  {"Location", "/.gatehouse/login?return_to=%2Fx%3Fcode%3Dy", false},
		"policy":                  {"Content-Security-Policy", "default-src 'none'; style-src 'sha256-code=x'", false},
		"cookie":                  {"Set-Cookie", "state=x", false},
	} {
		vars := map[string]any{}
		ctx := context.WithValue(t.Context(), caddyhttp.VarsCtxKey, vars)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://auth.test/login", nil)
		a.serveOwn(httptest.NewRecorder(), &web.Request{Request: r, URI: "/login"}, func(w http.ResponseWriter, _ *web.Request) {
			w.Header().Set(tt.header, tt.value)
			w.WriteHeader(http.StatusOK)
		})
		if skipped := vars[caddyhttp.LogSkipVar] == true; skipped != tt.skipped {
			t.Errorf("%s: left out of the access log: %v", name, skipped)
		}
	}
}

func TestHasSecret(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "code=x": true, "a=1&state=x": true, "%63ode=x": true, "CODE=x": true, "code": false, "code=": false,
		"return_to=%2Fx%3Fcode%3Dy": false, "user_code=BCDF-GHJK": true, "codes=x": false, "&&=&": false, "%zz=1&code=1": true,
		"grant_type=refresh_token&refresh_token=gtr_x": true, "client_secret=x": true, "client_id=x&password=y": true,
		"access_token=x": true, "code_verifier=x": true, "device_code=x": true, "client_assertion=x": true, "token_type_hint=x": false,
	} {
		if got := hasSecret(query); got != want {
			t.Errorf("%q: %v", query, got)
		}
	}
	if got := queryOf("https://a.test/cb?code=x#f"); got != "code=x" {
		t.Errorf("%q", got)
	}
}

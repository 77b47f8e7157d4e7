package github_test

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
)

// TestURL: github.com is where anybody can open an account, however it is written; an
// Enterprise server is at an address of its own, without a path.
func TestURL(t *testing.T) {
	t.Parallel()
	for raw, tt := range map[string]struct {
		issuer string
		open   bool
		fault  string
	}{
		"":                               {"https://github.com", true, ""},
		"https://github.com":             {"https://github.com", true, ""},
		"https://github.com/":            {"https://github.com", true, ""},
		"https://GitHub.com":             {"https://github.com", true, ""},
		"https://github.com:443":         {"https://github.com", true, ""},
		"https://www.github.com/":        {"https://github.com", true, ""},
		"https://github.example.com":     {"https://github.example.com", false, ""},
		"https://github.example.com/":    {"https://github.example.com", false, ""},
		"https://octocorp.ghe.com":       {"https://octocorp.ghe.com", false, ""},
		"https://github.com.example.com": {"https://github.com.example.com", false, ""},
		"https://api.github.com":         {"", false, "remove url"},
		"https://git.example.com/api/v3": {"", false, "write the server's address alone, such as https://git.example.com"},
		"http://github.example.com":      {"", false, "is not the https address"},
		"github.example.com":             {"", false, "is not the https address"},
		"https://":                       {"", false, "is not the https address"},
	} {
		if open := github.IsOpen(raw); open != tt.open {
			t.Errorf("%s is open: %t", raw, open)
		}
		p, err := github.New(github.Config{Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now, BaseURL: raw})
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%s: %v, want %q", raw, err, tt.fault)
			}
			continue
		}
		if err != nil || p.Issuer() != tt.issuer {
			t.Errorf("%s: %v, %v", raw, p, err)
		}
	}
}

// TestRootCAs: an Enterprise server may have an authority of its own.
func TestRootCAs(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"Not Found"}`))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, pool := range map[string]*x509.CertPool{"named": roots, "not named": nil} {
		p, err := github.New(github.Config{Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now, BaseURL: server.URL, RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		_, err = p.Check(t.Context(), nil)
		if pool != nil && err != nil || pool == nil && (!errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), "tls_trust_pool")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheck_NoGitHub: what is at url may be another server, which answers 404 as well.
func TestCheck_NoGitHub(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"a page":     func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		p, err := github.New(github.Config{Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now, BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		if _, err := p.Check(t.Context(), nil); !errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), "is url the address of a GitHub server?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

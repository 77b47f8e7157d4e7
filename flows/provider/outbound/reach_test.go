package outbound_test

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// TestReach: what an issuer names is not connected to at a private address, however
// that is written, unless the issuer is at one itself.
func TestReach(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	get := func(client *http.Client, host string) error {
		t.Helper()
		resp, err := client.Get("http://" + host + ":" + u.Port() + "/")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	public := outbound.NewClient(outbound.Options{Issuer: "sso.example.com"})
	t.Cleanup(public.CloseIdleConnections)
	// UTS #46, which the transport applies when it connects, makes the last ones of ASCII.
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "１２７.0.0.1", "127。0。0。1", "ｌｏｃａｌｈｏｓｔ"} {
		if err := get(public, host); err == nil || !strings.Contains(err.Error(), "private address") {
			t.Errorf("%s is reached for an issuer elsewhere: %v", host, err)
		}
	}
	local := outbound.NewClient(outbound.Options{Issuer: "127.0.0.1"})
	t.Cleanup(local.CloseIdleConnections)
	if err := get(local, "localhost"); err == nil {
		t.Error("a private address is reached before it is known that the issuer is at one")
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if err := get(local, host); err != nil {
			t.Errorf("%s is not reached for an issuer at a private address: %v", host, err)
		}
	}
	chosen := outbound.NewClient(outbound.Options{Issuer: ""})
	t.Cleanup(chosen.CloseIdleConnections)
	if err := get(chosen, "127.0.0.1"); err != nil {
		t.Errorf("the operator's own choice is not reached: %v", err)
	}
}

// TestReach_Rebinding: that an issuer's name resolves to a private address makes it none
// that is at one: who owns the name decides what it resolves to. It must have shown there
// that it is the issuer (DNS rebinding).
func TestReach_Rebinding(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	get := func(client *http.Client, host string) error {
		resp, err := client.Get("https://" + host + ":" + u.Port() + "/")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	stranger := outbound.NewClient(outbound.Options{Issuer: "localhost"})
	t.Cleanup(stranger.CloseIdleConnections)
	if err := get(stranger, "localhost"); !outbound.IsUntrusted(err) {
		t.Fatalf("a certificate of nobody is taken: %v", err)
	}
	if err := get(stranger, "127.0.0.1"); err == nil || !strings.Contains(err.Error(), "private address") {
		t.Errorf("a private address is reached for an issuer that has not answered at one: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	known := outbound.NewClient(outbound.Options{Issuer: "127.0.0.1", RootCAs: roots})
	t.Cleanup(known.CloseIdleConnections)
	if err := get(known, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := get(known, "localhost"); err == nil || strings.Contains(err.Error(), "private address") {
		t.Errorf("a host beside an issuer at a private address: %v", err)
	}
}

// TestReach_ByProxy: an operator's proxy may be at a private address.
func TestReach_ByProxy(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	t.Cleanup(proxy.Close)
	client := outbound.NewClient(outbound.Options{Issuer: "sso.example.com"})
	t.Cleanup(client.CloseIdleConnections)
	outbound.SetProxy(client, proxy.URL)
	resp, err := client.Get("http://keys.example.com/jwks")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if asked != "http://keys.example.com/jwks" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestIsPrivate(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true,
		"100.64.0.1": true, "0.0.0.0": true, "::1": true, "::": true, "fd00::1": true, "fe80::1": true, "fe80::1%eth0": true,
		"::ffff:10.0.0.1": true, "１０.0.0.1": true, "10。0.0.1": true, "LocalHost": true, "localhost.": true, "x.localhost": true, "64:ff9b::a00:1": true, "2002:a00:1::": true, "224.0.0.1": true, "255.255.255.255": true,
		"8.8.8.8": false, "2606:4700::1111": false, "64:ff9b::808:808": false, "sso.example.com": false,
	} {
		if got := outbound.IsPrivate(host); got != want {
			t.Errorf("IsPrivate(%s) = %t", host, got)
		}
	}
}

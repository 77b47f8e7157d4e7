package applications_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const transmissionSettings = `{
	"rpc-bind-address": "127.0.0.1", "rpc-port": %d, "rpc-authentication-required": %t, "rpc-username": "bob", "rpc-password": "builder",
	"bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "peer-port": %d, "download-dir": %q,
	"dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false, "port-forwarding-enabled": false
}`

// transmission runs Debian's transmission-daemon, and returns its address. It asks for
// passwords of its own, or for none.
func transmission(t *testing.T, own bool) string {
	t.Helper()
	program := needs(t, "transmission-daemon", "transmission-daemon")
	folder, port := t.TempDir(), gateway.FreePort(t)
	write(t, filepath.Join(folder, "settings.json"), fmt.Sprintf(transmissionSettings, port, own, gateway.FreePort(t), folder))
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	daemon := exec.Command(program, "--foreground", "--config-dir", folder) //nolint:gosec // of the test's own making
	daemon.Env = append(daemon.Environ(), "HOME="+folder)
	serve(t, address+"/transmission/web/", daemon)
	return address
}

// remote is what transmission-remote says when it lists what there is.
func (w *world) remote(t *testing.T, user, password string) (string, error) {
	t.Helper()
	command := exec.Command(needs(t, "transmission-remote", "transmission-cli"), w.site+"/transmission", "--auth", user+":"+password, "--list") //nolint:gosec // of the test's own making
	output, err := command.CombinedOutput()
	return string(output), err
}

// TestTransmission: transmission-remote sends an access token as the password, once it is
// asked for Basic credentials, and alice's browser her session. The application has its
// own protection from forged requests, which answers 409.
func TestTransmission(t *testing.T) {
	gateway.Soak(t)
	w := start(t, transmission(t, false), "basic_token")
	token := w.token(t)
	if output, err := w.remote(t, "robot", token); err != nil || !strings.Contains(output, "Sum:") {
		t.Fatalf("%v\n%s", err, output)
	}
	alice := w.person(t)
	rpc := w.site + "/transmission/rpc"
	page := alice.Send(http.MethodPost, rpc)
	if page.Status != http.StatusConflict || page.Header.Get("X-Transmission-Session-Id") == "" {
		t.Errorf("alice's first call: %d %v", page.Status, page.Header)
	}
	if page = alice.Send(http.MethodPost, rpc, "X-Transmission-Session-Id: "+page.Header.Get("X-Transmission-Session-Id")); page.Status != http.StatusOK {
		t.Errorf("alice's second call: %d\n%s", page.Status, page.Body)
	}
	w.revoke(t, token)
	w.endSessions(t)
	if output, err := w.remote(t, "robot", token); err == nil {
		t.Errorf("with a token that was revoked:\n%s", output)
	}
	if page = alice.Fetch(http.MethodPost, rpc); page.Status != http.StatusUnauthorized {
		t.Errorf("alice after her session's end: %d\n%s", page.Status, page.Body)
	}
	if output, err := w.remote(t, "robot", w.token(t)); err != nil {
		t.Errorf("with another token: %v\n%s", err, output)
	}
	w.signIn(t, alice)
	if page = alice.Open(w.site + "/transmission/web/"); page.Status != http.StatusOK || !strings.Contains(page.Body, "Transmission") {
		t.Errorf("alice, back again: %d\n%s", page.Status, page.Body)
	}
}

// TestTransmission_ItsOwnPassword: transmission-remote sends what the daemon itself asks
// for, which the guard lets through.
func TestTransmission_ItsOwnPassword(t *testing.T) {
	gateway.Soak(t)
	w := start(t, transmission(t, true), "app_credentials basic")
	if output, err := w.remote(t, "bob", "builder"); err != nil || !strings.Contains(output, "Sum:") {
		t.Errorf("%v\n%s", err, output)
	}
	if output, err := w.remote(t, "bob", "wrong"); err == nil {
		t.Errorf("with a wrong password:\n%s", output)
	}
}

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

const radicaleConfig = `[server]
hosts = 127.0.0.1:%d
[auth]
type = %s
htpasswd_filename = %s
htpasswd_encryption = plain
[storage]
filesystem_folder = %s
[web]
type = none
`

// radicale runs Debian's radicale, and returns its address.
func radicale(t *testing.T, auth string) string {
	t.Helper()
	program := needs(t, "radicale", "radicale")
	folder, port := t.TempDir(), gateway.FreePort(t)
	users := write(t, filepath.Join(folder, "users"), "bob:builder\n")
	config := write(t, filepath.Join(folder, "config"), fmt.Sprintf(radicaleConfig, port, auth, users, filepath.Join(folder, "data")))
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	serve(t, address, exec.Command(program, "--config", config)) //nolint:gosec // of the test's own making
	return address
}

const event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261201T000000Z\r\n" +
	"DTSTART:20261201T100000Z\r\nSUMMARY:Tea\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// caldav sends a request as calendar programs do, with Basic credentials.
func caldav(t *testing.T, method, address, user, password, body string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/calendar; charset=utf-8")
	r.Header.Set("X-Remote-User", "bob") // which nobody may say
	r.SetBasicAuth(user, password)
	resp, err := direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// TestRadicale: Radicale takes the guard's word for who it is, and calendar programs send
// a token as the password.
func TestRadicale(t *testing.T) {
	w := start(t, radicale(t, "http_x_remote_user"), "basic_token", "headers {", "user X-Remote-User", "}")
	calendar := w.site + "/client:robot/cal/"
	token := w.token(t)
	for _, step := range []struct {
		method, path, body string
		want               int
	}{
		{"MKCALENDAR", "", "", http.StatusCreated},
		{http.MethodPut, "1.ics", event, http.StatusCreated},
		{"PROPFIND", "", "", http.StatusMultiStatus},
		{http.MethodGet, "1.ics", "", http.StatusOK},
	} {
		if status, _ := caldav(t, step.method, calendar+step.path, "anything", token, step.body); status != step.want {
			t.Fatalf("%s %s: %d", step.method, step.path, status)
		}
	}
	if status, _ := caldav(t, "PROPFIND", w.site+"/bob/", "bob", token, ""); status != http.StatusForbidden {
		t.Errorf("the robot reads bob's: %d", status)
	}
	w.revoke(t, token)
	status, header := caldav(t, http.MethodGet, calendar+"1.ics", "anything", token, "")
	if status != http.StatusUnauthorized || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("with a token that was revoked: %d %v", status, header)
	}
	if status, _ = caldav(t, http.MethodGet, calendar+"1.ics", "anything", w.token(t), ""); status != http.StatusOK {
		t.Errorf("with another token: %d", status)
	}
}

// TestRadicale_ItsOwnPasswords: Radicale checks its own users' passwords, behind a guard
// that lets these through.
func TestRadicale_ItsOwnPasswords(t *testing.T) {
	gateway.Soak(t)
	w := start(t, radicale(t, "htpasswd"), "app_credentials basic")
	for password, want := range map[string]int{"builder": http.StatusCreated, "wrong": http.StatusUnauthorized} {
		if status, header := caldav(t, "MKCALENDAR", w.site+"/bob/"+password+"/", "bob", password, ""); status != want {
			t.Errorf("%s: %d %v", password, status, header)
		}
	}
	resp, err := direct.Get(w.site + "/bob/") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != `Basic realm="localhost", charset="UTF-8"` {
		t.Errorf("without a password: %s %v", resp.Status, resp.Header)
	}
}

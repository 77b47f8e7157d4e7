package applications_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const syncthingConfig = `<configuration version="36">
	<gui enabled="true" tls="false"><address>127.0.0.1:%d</address><apikey>%s</apikey></gui>
	<options>
		<listenAddress>tcp://127.0.0.1:%d</listenAddress>
		<globalAnnounceEnabled>false</globalAnnounceEnabled>
		<localAnnounceEnabled>false</localAnnounceEnabled>
		<relaysEnabled>false</relaysEnabled>
		<natEnabled>false</natEnabled>
		<urAccepted>-1</urAccepted>
		<crashReportingEnabled>false</crashReportingEnabled>
		<autoUpgradeIntervalH>0</autoUpgradeIntervalH>
	</options>
</configuration>
`

// syncthingKey is of Syncthing's making.
const syncthingKey = "a-key-that-syncthing-made"

// syncthing runs Debian's syncthing, which talks to nobody, and returns its address.
func syncthing(t *testing.T) string {
	t.Helper()
	program := needs(t, "syncthing", "syncthing")
	folder, port := t.TempDir(), gateway.FreePort(t)
	write(t, filepath.Join(folder, "config.xml"), fmt.Sprintf(syncthingConfig, port, syncthingKey, gateway.FreePort(t)))
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	command := exec.Command(program, "serve", "--home", folder, "--no-browser", "--no-restart") //nolint:gosec // of the test's own making
	command.Env = append(command.Environ(), "HOME="+folder, "STNODEFAULTFOLDER=1", "STNOUPGRADE=1")
	serve(t, address+"/", command)
	return address
}

// csrf is the header by which Syncthing knows its own pages, of the cookie that it sets.
func csrf(t *testing.T, b *browser.Browser, site string) string {
	t.Helper()
	b.Open(site + "/")
	for _, c := range b.Cookies(site) {
		if strings.HasPrefix(c.Name, "CSRF-Token-") {
			return "X-" + c.Name + ": " + c.Value
		}
	}
	t.Fatal("Syncthing has set no cookie")
	return ""
}

// TestSyncthing: Syncthing's own command asks with its key, which the guard lets through,
// and alice's browser with her session and Syncthing's own cookie. What her page waits for
// ends with the session.
func TestSyncthing(t *testing.T) {
	gateway.Soak(t)
	w := start(t, syncthing(t), "app_credentials header X-API-Key")
	cli := func(key string) (string, error) {
		command := exec.Command(needs(t, "syncthing", "syncthing"), "cli", //nolint:gosec // of the test's own making
			"--gui-address="+strings.TrimPrefix(w.site, "http://"), "--gui-apikey="+key, "show", "version")
		output, err := command.CombinedOutput()
		return string(output), err
	}
	if output, err := cli(syncthingKey); err != nil || !strings.Contains(output, `"version"`) {
		t.Fatalf("%v\n%s", err, output)
	}
	if output, err := cli("wrong"); err == nil && strings.Contains(output, `"version"`) {
		t.Errorf("with a wrong key:\n%s", output)
	}
	version := w.site + "/rest/system/version"
	alice := w.person(t)
	own := csrf(t, alice, w.site)
	if page := alice.Send(http.MethodGet, version, own); page.Status != http.StatusOK {
		t.Fatalf("alice: %d\n%s", page.Status, page.Body)
	}
	if page := alice.Send(http.MethodGet, version); page.Status != http.StatusForbidden {
		t.Errorf("alice without Syncthing's own token: %d\n%s", page.Status, page.Body)
	}
	// The page waits for events; these are of a kind that nothing brings about.
	waiting, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site+"/rest/events?events=FolderPaused&timeout=50", nil)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(own, ": ")
	waiting.Header.Set(name, value)
	for _, c := range alice.Cookies(w.site) {
		waiting.AddCookie(c)
	}
	events, err := direct.Do(waiting)
	if err != nil || events.StatusCode != http.StatusOK {
		t.Fatalf("waiting for events: %v %v", events, err)
	}
	defer func() { _ = events.Body.Close() }()
	w.endSessions(t)
	if said, err := io.ReadAll(events.Body); err == nil {
		t.Errorf("the wait for events goes on after her session's end: %q", said)
	}
	if page := alice.Fetch(http.MethodGet, version, own); page.Status != http.StatusUnauthorized {
		t.Errorf("alice after her session's end: %d\n%s", page.Status, page.Body)
	}
	if output, err := cli(syncthingKey); err != nil {
		t.Errorf("the command after her session's end: %v\n%s", err, output)
	}
	w.signIn(t, alice)
	if page := alice.Send(http.MethodGet, version, csrf(t, alice, w.site)); page.Status != http.StatusOK {
		t.Errorf("alice, back again: %d\n%s", page.Status, page.Body)
	}
}

package applications_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const noderedSettings = `module.exports = {
	uiHost: "127.0.0.1", uiPort: %d, flowFile: "flows.json", credentialSecret: "a-secret-of-node-red",
	telemetry: {enabled: false, updateNotification: false}, externalModules: {palette: {allowInstall: false}},
	editorTheme: {tours: false}, logging: {console: {level: "warn"}},
}
`

// nodered runs Node-RED without users of its own, and returns its address.
func nodered(t *testing.T) string {
	t.Helper()
	folder, port := t.TempDir(), gateway.FreePort(t)
	settings := write(t, filepath.Join(folder, "settings.js"), fmt.Sprintf(noderedSettings, port))
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	serve(t, address+"/", script(t, "node-red/red.js", "--userDir", folder, "--settings", settings))
	return address
}

// flow is a flow with one node, which says what it is given.
const flow = `[{"id": "1", "type": "tab", "label": %q}, {"id": "2", "type": "debug", "z": "1", "x": 100, "y": 100, "wires": []}]`

// TestNodeRED: the editor in alice's browser hears of deployments by its WebSocket, which
// ends with her session, and connects again by itself once she has signed in in another
// tab. A program deploys with an access token, and so does Node-RED's own command ask.
func TestNodeRED(t *testing.T) {
	gateway.Soak(t)
	w := start(t, nodered(t))
	token := w.token(t)
	deploy := func(token, label string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.site+"/flows", strings.NewReader(fmt.Sprintf(flow, label)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := direct.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	folder := t.TempDir()
	admin := func(token string) (string, error) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(folder, ".node-red"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, ".node-red", ".cli-config.json"), fmt.Sprintf(`{"target": %q, "tokens": {"access_token": %q}}`, w.site, token))
		command := script(t, "node-red-admin/node-red-admin.js", "list")
		command.Env = append(os.Environ(), "HOME="+folder)
		output, err := command.CombinedOutput()
		return string(output), err
	}
	if output, err := admin(token); err != nil || !strings.Contains(output, "node-red/debug") {
		t.Errorf("node-red-admin: %v\n%s", err, output)
	}

	b := newTab(t)
	b.signIn(w.site + "/")
	b.until("the editor", `typeof RED === "object" && RED.nodes !== undefined && document.querySelector("#red-ui-header-button-deploy") !== null`)
	evaluated[bool](b, `window.deployed = 0, window.connected = 0,
		RED.comms.subscribe("notification/runtime-deploy", () => { window.deployed++ }), RED.comms.on("connect", () => { window.connected++ }), true`)
	eventually(t, "news of a deployment", func() bool {
		if status := deploy(token, "one"); status != http.StatusNoContent {
			t.Fatalf("deploying: %d", status)
		}
		return evaluated[int](b, "deployed") > 0
	})

	w.endSessions(t)
	w.revoke(t, token)
	if status := deploy(token, "two"); status != http.StatusUnauthorized {
		t.Errorf("deploying with a token that was revoked: %d", status)
	}
	if output, err := admin(token); err == nil && strings.Contains(output, "node-red/debug") {
		t.Errorf("node-red-admin with a token that was revoked:\n%s", output)
	}
	if got := evaluated[string](b, `fetch("/flows", {headers: {Accept: "application/json"}}).then(a => a.json()).then(a => a.login_url)`); !strings.HasPrefix(got, w.site+"/.gatehouse/login") {
		t.Errorf("her editor is told to sign in at %q", got)
	}
	b.until("the editor's word that its connection is lost", `document.querySelector(".red-ui-notification-error") !== null`)
	before := evaluated[int](b, "window.connected = 0, deployed")
	token = w.token(t)
	if status := deploy(token, "three"); status != http.StatusNoContent {
		t.Fatalf("deploying with another token: %d", status)
	}
	if got := evaluated[[]int](b, `new Promise(done => setTimeout(() => done([deployed, connected]), 300))`); got[0] != before || got[1] != 0 {
		t.Errorf("her editor hears of a deployment after her session's end: %v", got)
	}

	another, cancel := chromedp.NewContext(b.ctx)
	defer func(ctx context.Context) { cancel(); <-ctx.Done() }(another)
	tab{t, another}.signIn(w.site + "/settings")
	b.until("the editor's connection", "connected > 0")
	if status := deploy(token, "four"); status != http.StatusNoContent {
		t.Fatalf("deploying: %d", status)
	}
	b.until("news of a deployment, without a reload", fmt.Sprintf("deployed > %d", before))
}

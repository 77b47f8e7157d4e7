package applications_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// jupyterToken is of Jupyter's own: it asks for it wherever a request comes from.
const jupyterToken = "a-token-of-jupyter"

// jupyter runs Debian's jupyter-server, and returns its address.
func jupyter(t *testing.T) string {
	t.Helper()
	program := needs(t, "jupyter-server", "jupyter-server python3-ipykernel")
	folder, port := t.TempDir(), gateway.FreePort(t)
	command := exec.Command(program, "--no-browser", "--allow-root", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port), //nolint:gosec // of the test's own making
		"--ServerApp.port_retries=0", "--ServerApp.token="+jupyterToken, "--ServerApp.root_dir="+folder)
	command.Env = append(command.Environ(), "HOME="+folder)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	serve(t, address+"/api", command)
	return address
}

// jupyterPage is what a page of Jupyter's does: it starts a kernel, and runs code in one
// by its WebSocket.
const jupyterPage = `
	const xsrf = () => (document.cookie.match(/_xsrf=([^;]*)/) || [])[1] || "";
	window.kernels = (method, headers) => fetch("/api/kernels", {method, headers, body: method === "POST" ? "{}" : undefined});
	window.begin = async () => {
		await fetch("/login");
		const answer = await kernels("POST", {"X-XSRFToken": xsrf()});
		return answer.ok ? (await answer.json()).id : "" + answer.status;
	};
	window.connect = (kernel) => new Promise((done) => {
		window.socket = new WebSocket("ws://" + location.host + "/api/kernels/" + kernel + "/channels");
		window.said = "";
		window.over = false;
		socket.onopen = () => done("open");
		socket.onclose = () => { window.over = true; done("closed"); };
		socket.onmessage = (event) => {
			const message = JSON.parse(event.data);
			if (message.header.msg_type === "stream") window.said += message.content.text;
		};
	});
	window.execute = (code) => socket.send(JSON.stringify({
		header: {msg_id: "" + Math.random(), username: "", session: "s", msg_type: "execute_request", version: "5.3", date: new Date().toISOString()},
		parent_header: {}, metadata: {}, channel: "shell", buffers: [],
		content: {code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false},
	}));
	true`

// TestJupyter: a kernel's WebSocket ends with alice's session, and the kernel itself goes
// on: she finds it as it was. Jupyter's own token and its XSRF cookie count behind the
// guard as they do without it, and programs send the former as Authorization: token.
func TestJupyter(t *testing.T) {
	gateway.Soak(t)
	w := start(t, jupyter(t), "app_credentials bearer")
	b := newTab(t)
	home := w.site + "/?token=" + jupyterToken
	open := func() {
		t.Helper()
		b.until("Jupyter's page", `document.title.startsWith("Jupyter")`)
		evaluated[bool](b, jupyterPage)
	}
	b.signIn(home)
	open()
	if got := evaluated[int](b, `kernels("POST", {"X-XSRFToken": "wrong"}).then(a => a.status)`); got != http.StatusForbidden {
		t.Errorf("without Jupyter's own cookie: %d", got)
	}
	kernel := evaluated[string](b, "begin()")
	connect := func() {
		t.Helper()
		if got := evaluated[string](b, fmt.Sprintf("connect(%q)", kernel)); got != "open" {
			t.Fatalf("the WebSocket of kernel %s: %s", kernel, got)
		}
	}
	connect()
	evaluated[bool](b, `execute("x = 41; print(x)"), true`)
	b.until("the kernel's answer", `said.includes("41")`)

	program := func(token string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site+"/api/kernels", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "token "+token)
		resp, err := direct.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	if resp := program(jupyterToken); resp.StatusCode != http.StatusOK { //nolint:bodyclose // program closes it
		t.Errorf("a program with Jupyter's token: %s", resp.Status)
	}
	if resp := program("wrong"); resp.StatusCode != http.StatusForbidden || !strings.HasPrefix(resp.Header.Get("Server"), "TornadoServer") { //nolint:bodyclose // as above
		t.Errorf("a program with another token: %s %v", resp.Status, resp.Header)
	}

	w.endSessions(t)
	b.until("the end of the WebSocket", "over")
	if got := evaluated[string](b, fmt.Sprintf("connect(%q)", kernel)); got != "closed" {
		t.Errorf("another WebSocket after her session's end: %s", got)
	}
	if got := evaluated[string](b, `kernels("GET").then(a => a.json()).then(a => a.login_url)`); !strings.HasPrefix(got, w.site+"/.gatehouse/login") {
		t.Errorf("her page is told to sign in at %q", got)
	}
	b.signIn(home)
	open()
	connect()
	evaluated[bool](b, `execute("print(x + 1)"), true`)
	b.until("the kernel's answer to her who is back", `said.includes("42")`)
}

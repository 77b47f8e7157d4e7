package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// fenced are the blocks of a language in a page of docs.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

// TestWhileAway does what docs/while-away.md says: its Caddyfile, its scripts and its
// commands, with a person who allows it in a browser, leaves, and forbids it.
func TestWhileAway(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import authlib, requests").Run(); err != nil {
		missing(t, "apt-get install python3-authlib python3-requests")
	}
	const page = "while-away.md"
	folder := t.TempDir()
	for _, script := range fenced(t, page, "python") {
		name := strings.Fields(script)[1]
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var commands []string
	for _, block := range fenced(t, page, "sh norun") {
		commands = append(commands, strings.TrimSpace(block))
	}
	caddyfiles := fenced(t, page, "caddyfile")
	if len(commands) != 2 || len(caddyfiles) != 1 {
		t.Fatalf("the page has %d commands and %d Caddyfiles", len(commands), len(caddyfiles))
	}
	issuer, jobs := origin(t), origin(t)
	shell := func(command string, env ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(command, "https://auth.example.com", issuer))
		cmd.Dir = folder
		cmd.Env = append(append(os.Environ(), env...), "PATH=/usr/bin:/bin") // where Debian has its Python
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := shell(commands[0]); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sso := openid.Start(t, issuer+"/callback/checkin")
	secrets := new(gateway.Secrets)
	node := gateway.Start(t, gateway.Options{
		Secrets: secrets,
		Caddyfile: strings.NewReplacer(
			"https://aai.example.org/", sso.Issuer, "\nauth.example.com {", "\n"+issuer+" {", "https://auth.example.com", issuer,
			"client_id gateway", "client_id "+openid.ClientID, "\njobs.example.com {", "\n"+jobs+" {", "reverse_proxy jobs:3000", "respond jobs", "{$PILOTS_JWKS}", filepath.Join(folder, "pilots.jwks"),
		).Replace(caddyfiles[0]),
		Env: []string{"CHECKIN_CLIENT_SECRET=" + openid.ClientSecret},
	})
	b := browser.New(t, browser.Options{Route: node.Route, Learn: secrets.Learn})
	home := func() *browser.Page {
		t.Helper()
		if page := b.Open(jobs + "/"); has(page, "password") {
			b.Submit(page, b.Find(page, "password"), map[string]string{"username": "alice", "password": openid.Password})
		}
		return b.Open(issuer + "/")
	}
	own := home()
	if !strings.Contains(own.Text(), "Pilot factory") || !strings.Contains(own.Text(), "Not allowed") {
		t.Fatalf("her page does not ask:\n%s%s", own.Path(), own.Text())
	}
	var sessions struct {
		Sessions []struct {
			Subject string `json:"subject"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(node.Verb(t, "sessions", "list", "--all", "--json")), &sessions); err != nil || len(sessions.Sessions) == 0 {
		t.Fatalf("no session is listed: %v", err)
	}
	subject := "SUBJECT=" + sessions.Sessions[0].Subject
	if out, err := shell(commands[1], subject); err == nil || !strings.Contains(out, "interaction_required") {
		t.Fatalf("before she allowed it: %v, %s", err, out)
	}
	named := "pilots " + sso.Issuer
	own = b.Submit(own, own.Forms()[0], map[string]string{"allow": named})
	if !strings.Contains(own.Text(), "Allowed by you") {
		t.Fatalf("her page says:\n%s", own.Text())
	}
	token, err := shell(commands[1], subject)
	issued := sso.Issued()
	if err != nil || token != issued[len(issued)-1].Access {
		t.Fatalf("answered %v, %s", err, token)
	}
	// She leaves, on every device.
	node.Verb(t, "sessions", "revoke", "--subject", sessions.Sessions[0].Subject)
	if out, err := shell(commands[1], subject); err != nil || out != token {
		t.Errorf("while she is away: %v, %s", err, out)
	}
	own = home()
	if !strings.Contains(own.Text(), "Last used") {
		t.Errorf("her page does not say that it was used:\n%s", own.Text())
	}
	b.Submit(own, own.Forms()[0], map[string]string{"forbid": named})
	if out, err := shell(commands[1], subject); err == nil || !strings.Contains(out, "interaction_required") {
		t.Errorf("after she forbade it: %v, %s", err, out)
	}
	if !strings.Contains(node.Log.Text(), `"act":{"sub":"pilots"}`) {
		t.Error("the log does not say who acted")
	}
}

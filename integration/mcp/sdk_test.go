package mcp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// do has the client call a tool, lets alice sign in where it asks, and returns what came of
// it, and how often she was asked.
func (w *world) do(p *program, command string) (answer string, visits int) {
	p.t.Helper()
	b := w.browser(p.t)
	b.StopAt("/callback")
	p.tell(command)
	answer = p.hear("answer ", func(line string) {
		switch what, rest, _ := strings.Cut(line, " "); what {
		case "visit":
			visits++
			page := signIn(b, rest)
			if page.Next() == nil {
				p.t.Fatalf("the browser is sent nowhere:\n%s%s", page.Path(), page.Text())
			}
			p.tell(page.Next().String())
		case "learn":
			w.node.Secrets.Learn("token", rest)
			if strings.HasPrefix(rest, "eyJ") {
				w.token = rest
			}
		case "failed":
			p.t.Fatal(line)
		}
	})
	return answer, visits
}

// TestClients runs MCP clients that know the server's URL and nothing else: they find where
// to sign in, register themselves, ask alice for consent once, call a tool, refresh when
// their token is good no longer, and ask her again after a revocation. SDKs stopped at
// "does not support dynamic client registration" before.
func TestClients(t *testing.T) {
	w := start(t)
	for _, sdk := range []string{"sdk-1.20", "sdk-1.32"} {
		t.Run(sdk, func(t *testing.T) {
			p := w.run(t, false, nil, "client.mjs", sdk, w.url)
			for _, step := range []struct {
				name, command, want string
				visits              int
			}{
				{"first", "call", "refreshed false", 1},
				{"known", "call", "refreshed false", 0},
				{"expired", "expire", "refreshed true", 0},
			} {
				if answer, visits := w.do(p, step.command); !strings.Contains(answer, "Hello, agent!") || !strings.Contains(answer, step.want) || visits != step.visits {
					t.Errorf("%s: %q after %d sign-ins", step.name, answer, visits)
				}
			}
			w.node.Verb(t, "sessions", "revoke", "--subject", subject(t, w.token))
			if answer, visits := w.do(p, "call"); !strings.Contains(answer, "Hello, agent!") || visits != 1 {
				t.Errorf("after a revocation: %q after %d sign-ins", answer, visits)
			}
		})
	}
	t.Run("mcp-remote", w.remote)
	t.Run("go-sdk", w.goSDK)
}

// remote runs mcp-remote, which has clients of standard input and output reach the server.
func (w *world) remote(t *testing.T) {
	p := w.run(t, true, []string{"MCP_REMOTE_CONFIG_DIR=" + filepath.Join(t.TempDir(), "kept"), "BROWSER=true", "PATH=" + os.Getenv("PATH")},
		"node_modules/mcp-remote/dist/proxy.js", w.url, "--allow-http")
	b := w.browser(t)
	p.tell(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	initialized := p.hear(`{"jsonrpc":"2.0","id":1`, func(line string) {
		if address := strings.TrimSpace(line); strings.HasPrefix(address, "http://") && strings.Contains(address, "response_type=code") {
			if page := signIn(b, address); page.Status != 200 {
				t.Errorf("the sign-in ends with %d:\n%s%s", page.Status, page.Path(), page.Text())
			}
		}
	})
	if !strings.Contains(initialized, "serverInfo") && !strings.Contains(initialized, "result") {
		t.Errorf("%s", initialized)
	}
	p.tell(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	p.tell(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet","arguments":{"name":"agent"}}}`)
	if answer := p.hear(`{"jsonrpc":"2.0","id":2`, nil); !strings.Contains(answer, "Hello, agent!") {
		t.Errorf("%s", answer)
	}
}

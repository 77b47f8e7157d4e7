package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loggingTo is a configuration whose logs, Caddy's error log too, are all in one file.
func loggingTo(t *testing.T, file, lines, sites string) []byte {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(config(t, t.TempDir(), lines, sites), &whole); err != nil {
		t.Fatal(err)
	}
	writer := map[string]any{"writer": map[string]any{"output": "file", "filename": file}, "level": "INFO"}
	whole["logging"] = map[string]any{"logs": map[string]any{"default": writer}}
	raw, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Caddy redacts Authorization and cookies in its logs, and no other header. What brings a
// token in ours has a line of its own, and so has what fails behind the guard.
func TestGuard_LogsNoTokens(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	file := filepath.Join(t.TempDir(), "all.log")
	r, err := start(t, loggingTo(t, file, aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n\tlog\n}\n"+
		"http://api.example.com {\n\tlog\n\tgatehouse /x/* {\n\t\tbasic_token\n\t\theaders {\n\t\t\tassertion X-Assertion\n\t\t}\n\t}\n"+
		"\tgatehouse /x/y/*\n\terror /*/fails \"no upstream\" 502\n"+echo+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	token := r.token("http://api.example.com")
	own := func(url string) *http.Request {
		req := get(url)
		req.Header.Set("Gatehouse-Authorization", "Bearer "+token)
		return req
	}
	password := get("http://api.example.com/x/password")
	password.Header.Set("Authorization", basic("git", token))
	for _, tt := range []struct {
		req  *http.Request
		want int
	}{
		{own("http://api.example.com/x/y/z"), http.StatusOK},
		{own("http://api.example.com/open"), http.StatusOK},
		{own("http://api.example.com/x/fails"), http.StatusBadGateway},
		{own("http://api.example.com/.gatehouse/nothing"), http.StatusNotFound},
		{own("http://auth.example.com/nothing"), http.StatusNotFound},
		{password, http.StatusOK},
		{get("http://api.example.com/open/other"), http.StatusOK},
	} {
		if got := r.do(tt.req); got.Code != tt.want {
			t.Errorf("%s: %d %s", tt.req.URL, got.Code, got.Body)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	said := string(text)
	if strings.Contains(said, token) || strings.Contains(said, strings.TrimPrefix(basic("git", token), "Basic ")) {
		t.Errorf("the log holds a token:\n%s", said)
	}
	for _, path := range []string{"/x/y/z", "/open", "/x/fails", "/.gatehouse/nothing", "/nothing"} {
		if n := strings.Count(said, `"path":"`+path+`","status":`); n != 1 && path != "/x/fails" {
			t.Errorf("%s has %d lines", path, n)
		}
	}
	for _, part := range []string{`a request failed behind the guard`, `no upstream`, `"user_id":"client:robot"`, `/open/other`, `/x/password`} {
		if !strings.Contains(said, part) {
			t.Errorf("no %s in\n%s", part, said)
		}
	}
}

package readings_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long an answer may take on a busy machine.
const patience = time.Minute

// answer is what a server, or the gateway before it, says.
type answer struct {
	status        int
	paths, action []string // as the server read them
	text          string
}

// ask sends a request target byte for byte.
func ask(t *testing.T, addr, host, target string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, host); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{} // a refusal
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", host, target, err)
	}
	a := answer{status: resp.StatusCode, text: string(text)}
	for line := range strings.Lines(a.text) {
		line = strings.TrimRight(line, "\n")
		if path, ok := strings.CutPrefix(line, "path="); ok {
			a.paths = append(a.paths, path)
		}
		if action, ok := strings.CutPrefix(line, "action="); ok {
			a.action = append(a.action, action)
		}
	}
	return a
}

// is reports whether the server took the request for one that is to be guarded.
func (a answer) is(guarded func(path string) bool) bool {
	if a.status != http.StatusOK {
		return false
	}
	return slices.ContainsFunc(a.paths, guarded)
}

func isAdmin(path string) bool {
	return strings.HasPrefix(strings.ToLower(path), "/admin/")
}

func isNotPublic(path string) bool {
	return !strings.HasPrefix(strings.ToLower(path), "/public/")
}

package gateway

import (
	"os/exec"
	"testing"
)

// Verb runs one of the operator's verbs against the running gateway, and returns
// what it printed.
func (n *Node) Verb(t testing.TB, args ...string) string {
	t.Helper()
	verb := exec.CommandContext(t.Context(), n.binary, append(args, "--address", "unix/"+n.socket())...)
	verb.Dir, verb.Env = Root(), n.env
	said, err := verb.CombinedOutput()
	if err != nil {
		t.Fatalf("gatehouse %v: %v\n%s", args, err, said)
	}
	return string(said)
}

package flows_test

import (
	"net/http"
	"strings"
	"testing"
)

// The reference that a client is told is in the log, with the client's id, whatever the
// error and however the client authenticates. Newcomers looked for one of a service that
// asked for somebody who is away, and found nothing.
func TestRefusal_TheReferenceIsInTheLog(t *testing.T) {
	p := newPilots(t, nil, nil)
	p.opens(newBrowser(t), 1)
	for name, got := range map[string]answer{
		"not allowed":      p.asks(p.subject()),
		"another audience": p.asks(p.subject(), set("audience", "gitlab")),
		"no such token":    p.asks(p.subject(), set("subject_token_type", "urn:x")),
		"no assertion":     p.asks(p.subject(), set("client_assertion", "a.b.c"), set("client_id", "pilots")),
		"no id at all":     p.asks(p.subject(), set("client_assertion", "a.b.c")),
	} {
		_, reference, told := strings.Cut(got.text("error_description"), "(reference ")
		if got.status == http.StatusOK || !told {
			t.Errorf("%s: %v", name, got.body)
			continue
		}
		want := "client_id=pilots"
		if name == "no id at all" {
			want = "client_id="
		}
		reference = strings.TrimSuffix(reference, ")")
		found := false
		for line := range strings.Lines(p.logs.String()) {
			found = found || strings.Contains(line, "a client was refused") && strings.Contains(line, reference) && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("%s: no line of reference %s with %s", name, reference, want)
		}
	}
}

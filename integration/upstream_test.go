package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

func upstreamAddr(t testing.TB) string {
	t.Helper()
	return upstream.Start(t).Addr
}

func TestUpstream_SeesTheVerifiedIdentityAndNothingOfOurs(t *testing.T) {
	t.Parallel()
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", app.Addr, ""),
	})
	b := newBrowser(t, n)
	const site = "http://app.localhost/"
	b.SetCookie(site, &http.Cookie{Name: "theme", Value: "dark"})
	b.SetCookie(site, &http.Cookie{Name: "gatehouse_of_cards", Value: "theirs"})
	signIn(t, b, site, "alice", alicePassword)

	for name, lie := range map[string][]string{
		"nothing":             nil,
		"the very header":     {"Remote-User: mallory", "Remote-Email: mallory@example.com"},
		"underscores":         {"Remote_User: mallory", "remote_email: mallory@example.com"},
		"dots":                {"Remote.User: mallory"},
		"mixed case":          {"rEMOTE-uSER: mallory", "REMOTE_name: mallory"},
		"hop by hop":          {"Connection: close, Remote-User, Remote-Groups"},
		"hop by hop, small":   {"connection: remote-user"},
		"twice":               {"Remote-User: mallory", "remote-user: mallory"},
		"a claim she lacks":   {"Remote-Name: mallory"},
		"an empty group list": {"Remote-Groups: "},
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, b.Send(http.MethodGet, site, lie...), http.StatusOK)
			got := app.Last(t).Header
			for header, want := range map[string]string{
				"Remote-User": "alice", "Remote-Email": "alice@example.com", "Remote-Groups": "staff",
			} {
				if values := got[header]; len(values) != 1 || values[0] != want {
					t.Errorf("%s is %q, want only %q", header, values, want)
				}
			}
			for header, values := range got {
				if strings.Contains(strings.Join(values, " "), "mallory") {
					t.Errorf("the upstream saw %s: %q", header, values)
				}
			}
			if want := "gatehouse_of_cards=theirs"; !strings.Contains(got.Get("Cookie"), want) {
				t.Errorf("the app's own cookie did not arrive: %q", got.Get("Cookie"))
			}
			if !strings.Contains(got.Get("Cookie"), "theme=dark") || strings.Contains(got.Get("Cookie"), "gts_") {
				t.Errorf("Cookie is %q, want the app's cookies and none of ours", got.Get("Cookie"))
			}
		})
	}
}

func TestUpstream_IdentityHeadersOfStrangersAreRemovedOnOpenPathsToo(t *testing.T) {
	t.Parallel()
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + "http://app.localhost {\n\tgatehouse /admin/*\n\treverse_proxy " + app.Addr + "\n}\n",
	})
	b := newBrowser(t, n)
	page := b.Send(http.MethodGet, "http://app.localhost/open", "Remote-User: mallory", "Remote_User: mallory", "Remote.Groups: wheel")
	wantStatus(t, page, http.StatusOK)
	for header, values := range app.Last(t).Header {
		if strings.HasPrefix(strings.ToLower(header), "remote") {
			t.Errorf("the upstream saw %s: %q of a stranger", header, values)
		}
	}
	wantStatus(t, b.Step("http://app.localhost/admin/users"), http.StatusSeeOther)
}

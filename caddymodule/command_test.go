package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// adminServer serves the admin API's routes as Caddy does, and returns its
// address.
func adminServer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range new(Admin).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if apiErr, ok := errors.AsType[caddy.APIError](err); ok {
				w.WriteHeader(apiErr.HTTPStatus)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": apiErr.Err.Error()})
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// command runs `caddy gatehouse …`, and returns both outputs and the error.
func command(args ...string) (stdout, stderr string, err error) {
	root, verbs := &cobra.Command{Use: "caddy"}, &cobra.Command{Use: "gatehouse"}
	root.AddCommand(verbs)
	var children []*cobra.Command
	for _, verb := range Verbs() {
		child := &cobra.Command{Use: verb.Name}
		verb.CobraFunc(child)
		children = append(children, child)
	}
	group(verbs, children...)
	var out, errOut strings.Builder
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetArgs(append([]string{"gatehouse"}, args...))
	root.SilenceErrors, root.SilenceUsage = true, true
	err = root.Execute()
	return out.String(), errOut.String(), err
}

func TestCommand_RefusesWhatItDoesNotKnow(t *testing.T) {
	for line, want := range map[string]string{
		"token":                        `gatehouse has no subcommand "token"; did you mean "tokens"?`,
		"tokens lst":                   `tokens has no subcommand "lst"; did you mean "list"?`,
		"tokens lst --provider google": `tokens has no subcommand "lst"; did you mean "list"?`,
		"tokens --all":                 `unknown flag: --all; say first what to do: tokens list, remove`,
		"sessions x":                   `sessions has no subcommand "x"; known: list, revoke`,
		"keys rotat":                   `keys has no subcommand "rotat"; did you mean "rotate"?`,
		"keys rotate now":              `"now" is too much: rotate takes options only; see its --help`,
		"client nwe shop":              `client has no subcommand "nwe"; did you mean "new"?`,
		"client new":                   `give the client one id, for example: client new grafana --redirect-uri https://grafana.example.com/login/generic_oauth`,
		"client new a b":               `give the client one id, for example: client new grafana --redirect-uri https://grafana.example.com/login/generic_oauth`,
		"doctor now":                   `"now" is too much: doctor takes options only; see its --help`,
		"sessions list":                `say whose: --user NAME, --subject SUBJECT, or --all`,
		"sessions list --subjct alice": `unknown flag: --subjct; did you mean "--subject"?`,
		"sessions revoke":              `say what to end: either --session ID or --subject SUBJECT; sessions list shows both`,
		"tokens list":                  `say which: --subject, --provider, --client-id, --expired-before, --revoked, --all`,
		"tokens remove":                `say which: --subject, --provider, --client-id, --expired-before, --revoked, --all, --token-file`,
	} {
		t.Run(line, func(t *testing.T) {
			stdout, _, err := command(strings.Fields(line)...)
			if err == nil {
				t.Fatalf("no error; it printed\n%s", stdout)
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if stdout, _, err := command("tokens"); err != nil || !strings.Contains(stdout, "remove") {
		t.Errorf("a group alone explains itself: %v\n%s", err, stdout)
	}
}

func TestCommand_WithoutAServer(t *testing.T) {
	closed := httptest.NewServer(nil)
	address := strings.TrimPrefix(closed.URL, "http://")
	closed.Close()
	if _, _, err := command("doctor", "--address", address); err == nil || !strings.HasPrefix(err.Error(), "no gateway answers at "+address) {
		t.Errorf("error is %v", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	address = strings.TrimPrefix(other.URL, "http://")
	if _, _, err := command("doctor", "--address", address); err == nil || !strings.Contains(err.Error(), "without Gatehouse") {
		t.Errorf("error is %v", err)
	}
}

// Names are what people have at hand, subjects what the commands take: one leads
// to the other.
func TestCommand_SessionsByUser(t *testing.T) {
	r := serve(t, "provider local {\n\tuser alice "+cheapHash+"\n\tuser bob "+cheapHash+"\n}\n",
		"http://app.example.com {\n\tgatehouse\n\trespond ok\n}")
	address := adminServer(t)
	alice := r.signIn("app.example.com", nil)
	r.signIn("app.example.com", func(c *identity.Claims) { c.ID, c.User = "bob", "bob" })

	var page sessionPage
	stdout, _, err := command("sessions", "list", "--user", "Alice", "--json", "--limit", "1", "--address", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(stdout), &page); err != nil || len(page.Sessions) != 1 || page.Sessions[0].User != "alice" {
		t.Fatalf("sessions of alice: %v\n%s", err, stdout)
	}
	subject := page.Sessions[0].Subject

	_, stderr, err := command("sessions", "list", "--subject", "alice", "--address", address)
	if err != nil || !strings.Contains(stderr, "sessions list --user NAME") {
		t.Errorf("a name for a subject: %v\n%s", err, stderr)
	}
	stdout, _, err = command("sessions", "list", "--all", "--limit", "1", "--address", address)
	if err != nil || !strings.Contains(stdout, "bob") || !strings.Contains(stdout, "More: --before ") {
		t.Errorf("one of two: %v\n%s", err, stdout)
	}

	_, _, err = command("sessions", "revoke", "--subject", "alice", "--address", address)
	if err == nil || !strings.Contains(err.Error(), `no subject "alice"`) {
		t.Errorf("nobody was shut out, and the error is %v", err)
	}
	_, _, err = command("sessions", "revoke", "--session", "01931c1a-0000-7000-8000-000000000000", "--address", address)
	if err == nil || !strings.Contains(err.Error(), "no session 01931c1a-") {
		t.Errorf("no session has ended, and the error is %v", err)
	}
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
	for range 2 { // ended already is as good
		stdout, _, err = command("sessions", "revoke", "--subject", subject, "--address", address)
		if err != nil || stdout != "All sessions of the subject have ended.\n" {
			t.Errorf("revoking: %v\n%s", err, stdout)
		}
	}
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusUnauthorized)

	_, stderr, err = command("sessions", "list", "--user", "alice", "--address", address)
	if err != nil || stderr != "There are no live sessions of a user \"alice\".\n" {
		t.Errorf("after that: %v\n%s", err, stderr)
	}
	stdout, _, err = command("sessions", "list", "--user", "alice", "--all", "--address", address)
	if err != nil || !strings.Contains(stdout, "revoked ") || strings.Contains(stdout, "bob") {
		t.Errorf("the ended one: %v\n%s", err, stdout)
	}
}

func TestCommand_TokensOfAnUnknownProvider(t *testing.T) {
	serve(t, aliceLocal+"provider google {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tallow domain example.com\n}\n",
		"http://app.example.com {\n\tgatehouse\n\trespond ok\n}")
	address := adminServer(t)
	for _, verb := range []string{"list", "remove"} {
		for provider, want := range map[string]string{
			"googel": `there is no provider "googel"; did you mean "google"? Known: google, local`,
			"zzz":    `there is no provider "zzz"; known: google, local`,
		} {
			_, _, err := command("tokens", verb, "--provider", provider, "--address", address)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("tokens %s of %s: %v", verb, provider, err)
			}
		}
		for _, provider := range []string{"google", "https://accounts.google.com", "https://former.example.com"} {
			_, stderr, err := command("tokens", verb, "--provider", provider, "--address", address)
			if err != nil || !strings.HasPrefix(stderr, "There are no such provider tokens.") {
				t.Errorf("tokens %s of %s: %v\n%s", verb, provider, err, stderr)
			}
		}
	}
}

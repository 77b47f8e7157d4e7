package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// admin calls one of the admin API's routes.
func adminCall(t *testing.T, method, pattern, query string) (*httptest.ResponseRecorder, int) {
	t.Helper()
	for _, route := range new(Admin).Routes() {
		if route.Pattern != pattern {
			continue
		}
		rec := httptest.NewRecorder()
		err := route.Handler.ServeHTTP(rec, httptest.NewRequest(method, pattern+query, nil))
		if apiErr, ok := errors.AsType[caddy.APIError](err); ok {
			return rec, apiErr.HTTPStatus
		}
		if err != nil {
			t.Fatal(err)
		}
		return rec, rec.Code
	}
	t.Fatalf("no route %s", pattern)
	return nil, 0
}

func TestAdmin_ListsAndEndsSessions(t *testing.T) {
	if _, status := adminCall(t, http.MethodGet, "/gatehouse/health", ""); status != http.StatusServiceUnavailable {
		t.Errorf("health without a gateway: %d", status)
	}
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n\trespond ok\n}")
	alice := r.signIn("app.example.com", nil)
	rec, status := adminCall(t, http.MethodGet, "/gatehouse/health", "")
	var health Health
	if err := json.Unmarshal(rec.Body.Bytes(), &health); err != nil || status != http.StatusOK || health.Status != "ok" {
		t.Fatalf("health %d %s (%v)", status, rec.Body, err)
	}
	rec, status = adminCall(t, http.MethodGet, "/gatehouse/sessions", "?all=true")
	var listed struct{ Sessions []SessionInfo }
	if err := json.Unmarshal(rec.Body.Bytes(), &listed); err != nil || status != http.StatusOK || len(listed.Sessions) != 1 || listed.Sessions[0].User != "alice" {
		t.Fatalf("sessions %d %s (%v)", status, rec.Body, err)
	}
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
	for query, want := range map[string]int{"": http.StatusBadRequest, "?session=x": http.StatusBadRequest, "?session=x&subject=y": http.StatusBadRequest, "?subject=y&session=%zz": http.StatusBadRequest} {
		if _, status := adminCall(t, http.MethodPost, "/gatehouse/revoke", query); status != want {
			t.Errorf("revoke %q: %d, want %d", query, status, want)
		}
	}
	if _, status := adminCall(t, http.MethodGet, "/gatehouse/revoke", "?session="+listed.Sessions[0].ID.String()); status != http.StatusMethodNotAllowed {
		t.Errorf("GET ended a session: %d", status)
	}
	if _, status := adminCall(t, http.MethodPost, "/gatehouse/revoke", "?session="+listed.Sessions[0].ID.String()); status != http.StatusNoContent {
		t.Errorf("revoke: %d", status)
	}
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusUnauthorized)
	if _, status := adminCall(t, http.MethodGet, "/gatehouse/sessions", ""); status != http.StatusBadRequest {
		t.Errorf("sessions of nobody: %d", status)
	}
}

func TestMatcher_ByWhoIsSignedIn(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /in/*\n\t@staff gatehouse group staff admins\n\t@bob gatehouse claim user bob\n"+
		"\t@cel expression gatehouse('claim', 'user=alice') && path('/in/cel')\n\thandle @cel {\n\t\trespond cel\n\t}\n\thandle @bob {\n\t\trespond bob\n\t}\n\thandle @staff {\n\t\trespond staff\n\t}\n\trespond nobody\n}")
	alice := r.signIn("app.example.com", nil)
	for path, want := range map[string]string{"/in/": "staff", "/out/": "staff", "/in/cel": "cel"} {
		if got := r.do(get("http://app.example.com"+path, alice)).Body.String(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if got := r.do(get("http://app.example.com" + path)); got.Code == http.StatusOK && got.Body.String() != "nobody" {
			t.Errorf("%s of nobody: %q", path, got.Body)
		}
	}
}

func TestAdmin_LinksUnlinksAndSuspends(t *testing.T) {
	r := serve(t, aliceLocal+"provider google {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tallow domain example.com\n}\n",
		"http://app.example.com {\n\tgatehouse\n\trespond ok\n}")
	alice := r.signIn("app.example.com", nil)
	address := adminServer(t)
	stdout, _, err := command("sessions", "list", "--user", "alice", "--json", "--address", address)
	var listed sessionPage
	if err != nil || json.Unmarshal([]byte(stdout), &listed) != nil || len(listed.Sessions) != 1 {
		t.Fatalf("sessions: %v\n%s", err, stdout)
	}
	subject := listed.Sessions[0].Subject
	for _, d := range []tokenstore.Delegation{
		{ClientID: "pilots", Provider: "local", AllowedAt: time.Now()}, {ClientID: "nosy", Provider: "https://gone.test", ForbiddenAt: time.Now()},
	} {
		d.Subject = subject
		if err := r.app.shared.store.SetDelegation(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ args, says, fails string }{
		{"show", "local", ""},
		{"show", "WHILE AWAY", ""},
		{"show", "https://gone.test  forbidden 20", ""},
		{"show", "never", ""},
		{"show --json", `"client_id":"pilots","provider":"local","issuer":"local","allowed_at":"20`, ""},
		{"link --provider google --id 7", "Linked.", ""},
		{"link --provider google --id 8", "", "another identity of that provider"},
		{"link --provider gogle --id 7", "", "there is no such provider"},
		{"show", "google", ""},
		{"unlink --provider google --id 8", "", "no such identity"},
		{"unlink --provider google --id 7", "Unlinked.", ""},
		{"unlink --provider local --id alice", "", "last identity"},
		{"link --provider google", "", "--id is missing"},
		{"suspend", "Suspended.", ""},
		{"show", "suspended since", ""},
	} {
		args := append([]string{"subjects"}, strings.Fields(tt.args)...)
		stdout, _, err := command(append(args, "--subject", subject, "--address", address)...)
		if tt.fails == "" && (err != nil || !strings.Contains(stdout, tt.says)) || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
			t.Errorf("subjects %s: %v\n%s", tt.args, err, stdout)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); r.do(get("http://app.example.com/", alice)).Code == http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("a suspended subject is let in")
		}
		runtime.Gosched()
	}
	if _, _, err := command("subjects", "resume", "--subject", subject, "--address", address); err != nil {
		t.Error(err)
	}
	if _, _, err := command("subjects", "suspend", "--subject", "nobody", "--address", address); err == nil || !strings.Contains(err.Error(), "there is no subject") {
		t.Errorf("suspending nobody: %v", err)
	}
}

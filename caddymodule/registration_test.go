package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// The options reach the gateway: clients register where a guard lets them in, pages may do
// so as well, and an administrator sees and ends them.
func TestRegistration_ByTheOptions(t *testing.T) {
	r := serve(t, aliceLocal+"client_registration {\n\tdynamic\n\tmetadata_documents any\n}\n",
		"http://app.example.com {\n\tgatehouse {\n\t\tself_registered files:read\n\t}\n\trespond ok\n}\nhttp://other.example.com {\n\tgatehouse\n\trespond ok\n}")
	address := adminServer(t)
	var metadata struct {
		Registration string `json:"registration_endpoint"`
		Documents    bool   `json:"client_id_metadata_document_supported"`
	}
	answer := r.do(get("http://app.example.com/.well-known/oauth-authorization-server/.gatehouse"))
	if json.Unmarshal(answer.Body.Bytes(), &metadata) != nil || metadata.Registration != "http://app.example.com/.gatehouse/register" || !metadata.Documents {
		t.Fatalf("metadata: %s", answer.Body)
	}
	preflight := httptest.NewRequest(http.MethodOptions, metadata.Registration, nil)
	preflight.Header.Set("Origin", "http://localhost:6274")
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	preflight.Header.Set("Access-Control-Request-Headers", "content-type")
	if got := r.do(preflight); got.Code != http.StatusNoContent || got.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a page that would register is answered %d %v", got.Code, got.Header())
	}
	register := func(host string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, "http://"+host+"/.gatehouse/register", strings.NewReader(`{"client_name":"Agent","redirect_uris":["http://127.0.0.1/cb"]}`))
		req.Header.Set("Content-Type", "application/json")
		return r.do(req)
	}
	wantStatus(t, register("other.example.com"), http.StatusNotFound)
	var registered struct {
		ClientID string `json:"client_id"`
	}
	if got := register("app.example.com"); got.Code != http.StatusCreated || json.Unmarshal(got.Body.Bytes(), &registered) != nil {
		t.Fatalf("registering: %d %s", got.Code, got.Body)
	}

	started, err := runningApp().shared.sessions.SignIn(t.Context(), session.Start{
		ClientID: registered.ClientID, Claims: identity.Claims{Provider: "local", Issuer: "local", ID: "alice", User: "alice", AuthTime: time.Now()},
	})
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, err := command("agents", "list", "--all", "--address", address)
	if err != nil || !strings.Contains(stdout, "Agent") || !strings.Contains(stdout, "127.0.0.1") {
		t.Errorf("agents: %v\n%s", err, stdout)
	}
	if _, _, err := command("agents", "list", "--address", address); err == nil || !strings.Contains(err.Error(), "--subject SUBJECT or --all") {
		t.Errorf("whose is not said: %v", err)
	}
	end := []string{"agents", "end", "--client", registered.ClientID, "--subject", started.Identity.Subject, "--address", address}
	if stdout, _, err := command(end...); err != nil || !strings.Contains(stdout, "has ended") {
		t.Errorf("ending: %v\n%s", err, stdout)
	}
	if _, _, err := command("agents", "end", "--client", "gtc_unknown", "--all", "--address", address); err == nil || !strings.Contains(err.Error(), "no such agent") {
		t.Errorf("ending what is not there: %v", err)
	}
	if _, stderr, err := command("agents", "list", "--all", "--address", address); err != nil || !strings.Contains(stderr, "There are no agents") {
		t.Errorf("agents afterwards: %v\n%s", err, stderr)
	}
}

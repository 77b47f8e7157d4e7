package applications_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const secret = "a-secret-of-a-program-long-enough"

// direct asks what no application's own client asks.
var direct = &http.Client{Timeout: time.Minute}

// world is a site with an application behind its guard, and a program that may enter.
type world struct {
	node *gateway.Node
	site string // its origin
}

// start runs a gateway with an application behind a guard that has the given options.
func start(t *testing.T, application string, options ...string) *world {
	t.Helper()
	return startSite(t, application, "gatehouse {\n\t\t"+strings.Join(options, "\n\t\t")+"\n\t}")
}

// startSite runs a gateway with an application behind the given directives.
func startSite(t *testing.T, application, guard string) *world {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("wonderland"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{site: fmt.Sprintf("http://localhost:%d", gateway.FreePort(t))}
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", secret)
	// What Caddy logs of a response that is cut off has the headers of the application.
	w.node = gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	log {
		format filter {
			request>headers delete
		}
	}
	gatehouse {
		provider local {
			user alice %[2]s
		}
		client robot {
			secret %[3]s
			grants client_credentials
			resources %[1]s
		}
	}
}
%[1]s {
	%[4]s
	reverse_proxy %[5]s
}
`, w.site, hash, secret, guard, strings.TrimPrefix(application, "http://"))})
	return w
}

// ask posts a form to an endpoint of the site's, as the program.
func (w *world) ask(t *testing.T, endpoint string, form url.Values) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.site+"/.gatehouse/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("robot", secret)
	resp, err := direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer json.RawMessage
	_ = json.NewDecoder(resp.Body).Decode(&answer) // a revocation's is empty
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", endpoint, resp.Status, answer)
	}
	return answer
}

// token is an access token of the program for the site.
func (w *world) token(t *testing.T) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.ask(t, "token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.site}}), &answer); err != nil {
		t.Fatal(err)
	}
	w.node.Secrets.Learn("access token", answer.AccessToken)
	return answer.AccessToken
}

func (w *world) revoke(t *testing.T, token string) {
	t.Helper()
	w.ask(t, "revoke", url.Values{"token": {token}})
}

// serve runs an application until the test ends, and waits until it answers at an
// address.
func serve(t *testing.T, address string, command *exec.Cmd) {
	t.Helper()
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() {
			_ = command.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = command.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s says:\n%s", command.Path, said.String())
		}
	})
	eventually(t, address, func() bool {
		resp, err := direct.Get(address) //nolint:noctx // it is tried until the test's own end
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come about: %s", what)
		}
	}
}

// write writes a file.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

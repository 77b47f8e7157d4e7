package applications_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const verdaccioConfig = `storage: %[1]s/storage
auth:
  htpasswd:
    file: %[1]s/htpasswd
    max_users: 10
uplinks: {}
packages:
  '**':
    access: %[2]s
    publish: %[2]s
log: {type: stdout, format: pretty, level: warn}
`

// verdaccio runs the registry, which lets in whom it says ($all or $authenticated), and
// returns its address.
func verdaccio(t *testing.T, who string) string {
	t.Helper()
	folder := t.TempDir()
	config := write(t, filepath.Join(folder, "config.yaml"), fmt.Sprintf(verdaccioConfig, folder, who))
	listen := fmt.Sprintf("127.0.0.1:%d", gateway.FreePort(t))
	serve(t, "http://"+listen+"/-/ping", script(t, "verdaccio/bin/verdaccio", "--config", config, "--listen", listen))
	return "http://" + listen
}

// packages is an npm of its own, for one registry.
type packages struct {
	t        *testing.T
	registry string
	folder   string
	runs     int
}

func newPackages(t *testing.T, w *world) *packages {
	t.Helper()
	p := &packages{t: t, registry: w.site + "/", folder: t.TempDir()}
	for _, name := range []string{"tiny", "user"} {
		folder := filepath.Join(p.folder, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "package.json"), fmt.Sprintf(`{"name": %q, "version": "1.0.0"}`, name))
	}
	return p
}

// npm is a command of npm that keeps nothing of the one before but its .npmrc.
func (p *packages) npm(in string, args ...string) *exec.Cmd {
	p.t.Helper()
	p.runs++
	command := exec.Command(needs(p.t, "npm", "npm"), args...) //nolint:gosec // of the test's own making
	command.Dir = filepath.Join(p.folder, in)
	command.Env = append(os.Environ(), "HOME="+p.folder, "NPM_CONFIG_USERCONFIG="+filepath.Join(p.folder, ".npmrc"),
		"NPM_CONFIG_GLOBALCONFIG="+filepath.Join(p.folder, "none"), "NPM_CONFIG_REGISTRY="+p.registry,
		"NPM_CONFIG_UPDATE_NOTIFIER=false", "NPM_CONFIG_AUDIT=false", "NPM_CONFIG_FETCH_RETRIES=0",
		fmt.Sprintf("NPM_CONFIG_CACHE=%s", filepath.Join(p.folder, fmt.Sprintf("cache%d", p.runs))))
	return command
}

// as has npm send a token from now on.
func (p *packages) as(token string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.folder, ".npmrc"), strings.TrimPrefix(p.registry, "http:")+":_authToken="+token+"\n")
}

// install installs the package that was published.
func (p *packages) install() (string, error) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.folder, "user", "node_modules")); err != nil {
		p.t.Fatal(err)
	}
	output, err := p.npm("user", "install", "--no-save", "tiny").CombinedOutput()
	return string(output), err
}

func (p *packages) publish() {
	p.t.Helper()
	if output, err := p.npm("tiny", "publish").CombinedOutput(); err != nil {
		p.t.Fatalf("npm publish: %v\n%s", err, output)
	}
}

// login has npm sign in at the registry itself, which makes its users as they come.
func (p *packages) login() {
	p.t.Helper()
	command := p.npm("user", "login", "--auth-type=legacy")
	answers, err := command.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	prompts, err := command.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	var said []byte
	for letter := make([]byte, 1); ; {
		n, err := prompts.Read(letter)
		if said = append(said, letter[:n]...); err != nil {
			break
		}
		switch {
		case bytes.HasSuffix(said, []byte("sername: ")):
			_, _ = io.WriteString(answers, "bob\n")
		case bytes.HasSuffix(said, []byte("assword: ")):
			_, _ = io.WriteString(answers, "builder-of-things\n")
		}
	}
	if err := command.Wait(); err != nil {
		p.t.Fatalf("npm login: %v\n%s%s", err, said, complaints.String())
	}
}

// TestVerdaccio: npm sends an access token as it sends any registry's token, and the
// registry behind the guard trusts whoever comes.
func TestVerdaccio(t *testing.T) {
	gateway.Soak(t)
	w := start(t, verdaccio(t, "$all"))
	p := newPackages(t, w)
	token := w.token(t)
	p.as(token)
	p.publish()
	if output, err := p.install(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, output)
	}
	w.revoke(t, token)
	if output, err := p.install(); err == nil || !strings.Contains(output, "E401") {
		t.Errorf("with a token that was revoked: %v\n%s", err, output)
	}
	p.as(w.token(t))
	if output, err := p.install(); err != nil {
		t.Errorf("with another token: %v\n%s", err, output)
	}
}

// TestVerdaccio_ItsOwnUsers: npm signs in at the registry, where the guard leaves that
// open, and sends the registry's token, which the guard lets through.
func TestVerdaccio_ItsOwnUsers(t *testing.T) {
	gateway.Soak(t)
	w := startSite(t, verdaccio(t, "$authenticated"), "@signed not path /-/user/* /-/v1/login\n\tgatehouse @signed {\n\t\tapp_credentials bearer\n\t}")
	p := newPackages(t, w)
	if output, err := p.install(); err == nil || !strings.Contains(output, "E401") {
		t.Errorf("without a token: %v\n%s", err, output)
	}
	p.login()
	p.publish()
	if output, err := p.install(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, output)
	}
	if output, err := p.npm("user", "logout").CombinedOutput(); err != nil {
		t.Errorf("npm logout: %v\n%s", err, output)
	}
	if output, err := p.install(); err == nil || !strings.Contains(output, "E401") {
		t.Errorf("after the logout: %v\n%s", err, output)
	}
	p.login()
	if output, err := p.install(); err != nil {
		t.Errorf("bob, back again: %v\n%s", err, output)
	}
}

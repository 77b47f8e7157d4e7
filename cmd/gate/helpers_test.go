package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestGitCredential(t *testing.T) {
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	host := strings.TrimPrefix(one, "http://")
	asked := "capability[]=authtype\ncapability[]=state\nprotocol=http\nhost=" + host + "\npath=team/project.git\n\n"
	env := w.environment()
	w.gateWith(env, asked, "git-credential", "get").want(exitSignIn, "gate login "+one)
	w.login(one)

	r := w.gateWith(env, asked, "git-credential", "get").want(exitDone)
	bearer := strings.TrimSpace(w.gate("token").stdout)
	lines := strings.Split(r.stdout, "\n")
	for _, want := range []string{"capability[]=authtype", "authtype=Bearer", "credential=" + bearer, "ephemeral=1"} {
		if !strings.Contains("\n"+r.stdout, "\n"+want+"\n") {
			t.Errorf("git is not told %s: %q", want, lines)
		}
	}
	old := w.gateWith(env, "protocol=http\nhost="+host+"\n\n", "git-credential", "get").want(exitFailed, "quit=1", "git 2.46", "http."+one+".extraHeader")
	if strings.Contains(old.stdout, bearer) {
		t.Error("a git that cannot use the token gets it")
	}
	w.gateWith(env, "", "git-credential", "store").want(exitDone)
	w.gateWith(env, "", "git-credential", "capability").want(exitDone, "capability authtype")
	// A token that the site refused is not offered again.
	w.gateWith(env, asked, "git-credential", "erase").want(exitDone)
	if again := strings.TrimSpace(w.gate("token").stdout); again == bearer {
		t.Error("the erased token is still in use")
	}
	open := hostile(t, func(_ string, rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("open")) })
	for name, other := range map[string]string{
		"not guarded": "protocol=http\nhost=" + strings.TrimPrefix(open, "http://") + "\n",
		"smtp":        "protocol=smtp\nhost=mail.example.com\n",
		"plain http":  "protocol=http\nhost=git.example.com\n",
		"odd host":    "protocol=https\nhost=evil.example/x?" + host + "\n",
		"nothing":     "",
	} {
		t.Run(name, func(t *testing.T) {
			r := w.gateWith(env, other, "git-credential", "get")
			r.t = t
			if r.want(exitDone); r.stdout != "" {
				t.Error(r.stdout)
			}
		})
	}
}

// The real git drives the helper; what it does with a bearer token needs 2.46.
// An older one gets in by what the helper tells its user.
func TestGitCredential_RealGit(t *testing.T) {
	if !private {
		t.Skip("Unix is needed")
	}
	need(t, "git")
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	w.login(one)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := "ls-remote " + one + "/team/project.git"
	shell := func(line string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Env = append(w.process().Env, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := shell("git -c 'credential.helper=!" + self + " git-credential' " + list)
	if !bearerGit(t) {
		if !strings.Contains(out, "git 2.46 or newer is needed") {
			t.Errorf("git does not say what it needs: %s", out)
		}
		_, advice, _ := strings.Cut(oldGit(one), "\n")
		out, err = shell(strings.NewReplacer("(gate ", "("+self+" ", "git …", "git "+list).Replace(advice))
	}
	if err != nil || !strings.Contains(out, "refs/heads/of-alice") {
		t.Errorf("git does not get in: %v\n%s", err, out)
	}
}

func bearerGit(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	_, _ = fmt.Sscanf(string(out), "git version %d.%d", &major, &minor)
	return major > 2 || major == 2 && minor >= 46
}

func FuzzReadGit(f *testing.F) {
	f.Add("protocol=https\nhost=a.example\ncapability[]=authtype\n\nmore")
	f.Add("protocol=https\nhost=a\x00@b\n")
	f.Fuzz(func(t *testing.T, said string) {
		asked, err := readGit(strings.NewReader(said))
		if err != nil {
			return
		}
		if a := asked.address(); a != "" && !strings.HasPrefix(a, "https://") && !strings.HasPrefix(a, "http://") {
			t.Errorf("%q", a)
		}
	})
}

func TestExecCredential(t *testing.T) {
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	w.login(one)
	info := func(version, server string) environment {
		env := w.environment()
		env.getenv = func(name string) string {
			if name != "KUBERNETES_EXEC_INFO" {
				return ""
			}
			return `{"apiVersion":"` + version + `","kind":"ExecCredential","spec":{"cluster":{"server":"` + server + `"},"interactive":false}}`
		}
		return env
	}
	for name, c := range map[string]struct {
		env  environment
		args []string
		want string
	}{
		"by hand":          {w.environment(), []string{"--for", one}, execVersion},
		"cluster":          {info(execVersion, one), nil, execVersion},
		"beta":             {info(execVersion+"beta1", "https://other.example"), []string{"--for", one}, execVersion + "beta1"},
		"no cluster given": {info(execVersion, ""), nil, execVersion},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.gateWith(c.env, "", append([]string{"exec-credential"}, c.args...)...)
			r.t = t
			r.want(exitDone)
			var got execCredential
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
				t.Fatal(err)
			}
			if got.APIVersion != c.want || got.Kind != "ExecCredential" || got.Status.Token != strings.TrimSpace(w.gate("token").stdout) {
				t.Errorf("%+v", got)
			}
			if ends, err := time.Parse(time.RFC3339, got.Status.Expires); err != nil || ends.Before(w.clock.now()) {
				t.Errorf("expires %q: %v", got.Status.Expires, err)
			}
		})
	}
	w.gateWith(info("client.authentication.k8s.io/v1alpha1", one), "", "exec-credential").want(exitUsage, "apiVersion: "+execVersion)
	broken := w.environment()
	broken.getenv = func(string) string { return "{" }
	w.gateWith(broken, "", "exec-credential").want(exitUsage, "not JSON")
}

// kubectl itself runs gate and sends what it says.
func TestExecCredential_RealKubectl(t *testing.T) {
	if !private {
		t.Skip("Unix is needed")
	}
	need(t, "kubectl")
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	w.login(one)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// kubectl sends credentials by TLS only.
	upstream, err := url.Parse(w.site.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Host = strings.TrimPrefix(one, "http://")
	}})
	t.Cleanup(front.Close)
	versions := []string{execVersion + "beta1"}
	if !oldKubectl(t) {
		versions = append(versions, execVersion)
	}
	for _, version := range versions {
		config := t.TempDir() + "/config"
		text := strings.NewReplacer("SELF", self, "SITE", one, "FRONT", front.URL, "VERSION", version).Replace(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: me}}]
clusters: [{name: c, cluster: {server: "FRONT", insecure-skip-tls-verify: true}}]
users:
- name: me
  user:
    exec:
      apiVersion: VERSION
      command: SELF
      args: [exec-credential, --for, "SITE"]
      interactiveMode: Never
`)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "kubectl", "--kubeconfig", config, "get", "--raw", "/version")
		cmd.Env = w.process().Env
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "hello alice at /version") {
			t.Errorf("%s: %v: %s", version, err, out)
		}
	}
}

// oldKubectl reports whether kubectl knows the protocol's beta alone, as before
// 1.22.
func oldKubectl(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "kubectl", "version", "--client", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		ClientVersion struct {
			GitVersion string `json:"gitVersion"`
		} `json:"clientVersion"`
	}
	var minor int
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(said.ClientVersion.GitVersion, "v1.%d", &minor); err != nil {
		t.Fatalf("kubectl is %q: %v", said.ClientVersion.GitVersion, err)
	}
	return minor < 22
}

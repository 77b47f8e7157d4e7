package applications_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// image writes the smallest image there is, as an OCI layout.
func image(t *testing.T, folder string) {
	t.Helper()
	blobs := filepath.Join(folder, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		t.Fatal(err)
	}
	blob := func(content, media string) string {
		sum := sha256.Sum256([]byte(content))
		name := hex.EncodeToString(sum[:])
		write(t, filepath.Join(blobs, name), content)
		return fmt.Sprintf(`{"mediaType": %q, "digest": "sha256:%s", "size": %d}`, media, name, len(content))
	}
	config := blob(`{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}`, "application/vnd.oci.image.config.v1+json")
	manifest := blob(`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": `+config+`, "layers": []}`, "application/vnd.oci.image.manifest.v1+json")
	write(t, filepath.Join(folder, "oci-layout"), `{"imageLayoutVersion": "1.0.0"}`)
	write(t, filepath.Join(folder, "index.json"), `{"schemaVersion": 2, "manifests": [`+manifest+`]}`)
}

// TestRegistry pushes an image and looks at it, with Debian's docker-registry and skopeo,
// which sends nothing before it is asked for Basic credentials.
func TestRegistry(t *testing.T) {
	gateway.Soak(t)
	program, skopeo := needs(t, "docker-registry", "docker-registry"), needs(t, "skopeo", "skopeo")
	folder, port := t.TempDir(), gateway.FreePort(t)
	config := write(t, filepath.Join(folder, "config.yml"), fmt.Sprintf("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:%d\n", filepath.Join(folder, "data"), port))
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	serve(t, address+"/v2/", exec.Command(program, "serve", config)) //nolint:gosec // of the test's own making
	image(t, filepath.Join(folder, "image"))
	w := start(t, address, "basic_token")
	registry := "docker://" + strings.TrimPrefix(w.site, "http://") + "/tiny:1"
	policy := write(t, filepath.Join(folder, "policy.json"), `{"default": [{"type": "insecureAcceptAnything"}]}`)
	run := func(args ...string) (string, error) {
		command := exec.Command(skopeo, append([]string{"--policy", policy}, args...)...) //nolint:gosec // of the test's own making
		command.Env = append(os.Environ(), "HOME="+folder, "XDG_RUNTIME_DIR="+folder)
		output, err := command.CombinedOutput()
		return string(output), err
	}
	token := w.token(t)
	if output, err := run("copy", "--dest-tls-verify=false", "--dest-creds", "robot:"+token, "oci:"+filepath.Join(folder, "image"), registry); err != nil {
		t.Fatalf("pushing: %v\n%s", err, output)
	}
	inspect := func(token string) (string, error) {
		return run("inspect", "--raw", "--tls-verify=false", "--creds", "robot:"+token, registry)
	}
	if output, err := inspect(token); err != nil || !strings.Contains(output, "schemaVersion") {
		t.Fatalf("looking at it: %v\n%s", err, output)
	}
	w.revoke(t, token)
	if output, err := inspect(token); err == nil || !strings.Contains(output, "unauthorized") && !strings.Contains(output, "invalid username/password") {
		t.Errorf("with a token that was revoked: %v\n%s", err, output)
	}
	if output, err := inspect(w.token(t)); err != nil {
		t.Errorf("with another token: %v\n%s", err, output)
	}
}

package gatehouse_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestCaddyfiles_AreWhatTheySay adapts, formats and validates every example.
func TestCaddyfiles_AreWhatTheySay(t *testing.T) {
	gatehouse := build(t)
	files, err := filepath.Glob("caddyfiles/*.Caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "# ") {
				t.Error("the first line does not say what the example shows")
			}
			checkCaddyfile(t, gatehouse, string(text))
		})
	}
}

func TestREADME_CaddyfilesAreValid(t *testing.T) {
	gatehouse := build(t)
	blocks := fenced(t, "caddyfile")
	if len(blocks) == 0 {
		t.Fatal("README shows no Caddyfile")
	}
	// A block that begins with a site goes with the first block's global options,
	// and the line that README says it needs.
	global, _, _ := strings.Cut(blocks[0], "\n}\n")
	global = strings.Replace(global, "provider google {\n", "provider google {\n\t\t\tstore_tokens\n", 1) + "\n}\n\n"
	for _, block := range blocks {
		if !strings.HasPrefix(block, "{\n") {
			block = global + block
		}
		checkCaddyfile(t, gatehouse, block)
	}
}

// TestDocs_CaddyfilesAreValid: each block marked caddyfile in docs/ is a whole
// Caddyfile. Fragments are marked otherwise, or not at all.
func TestDocs_CaddyfilesAreValid(t *testing.T) {
	gatehouse := build(t)
	for _, page := range pages(t) {
		for i, block := range fencedIn(t, page, "caddyfile") {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(page), i+1), func(t *testing.T) {
				checkCaddyfile(t, gatehouse, block)
			})
		}
	}
}

// pages are those of docs/.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("docs/*.md")
	below, bad := filepath.Glob("docs/*/*.md")
	if err != nil || bad != nil || len(found) == 0 || len(below) == 0 {
		t.Fatalf("found no pages in docs/: %v, %v", err, bad)
	}
	return append(found, below...)
}

// checkCaddyfile runs what an operator would: adapt, fmt and validate.
func checkCaddyfile(t *testing.T, gatehouse, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), gatehouse, args...)
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "HOME="+t.TempDir())
		cmd.Env = append(cmd.Env, values(t, text)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("gatehouse %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	for line := range strings.Lines(run("adapt", "--config", file, "--adapter", "caddyfile")) {
		if strings.Contains(line, `"level":"warn"`) {
			t.Errorf("adapting warns: %s", line)
		}
	}
	run("fmt", "--diff", file) // ends with an error when there is a difference
	run("validate", "--config", file, "--adapter", "caddyfile")
}

var environment = regexp.MustCompile(`\{(?:env\.|\$)([A-Z0-9_]+)`)

// appleKey is a file with a key such as Apple gives.
func appleKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "AuthKey.p8")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// authority is a file with the certificate of an authority.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// publicKeys is a file with a client's public key.
func publicKeys(t *testing.T) string {
	t.Helper()
	const jwks = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"pilots","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	file := filepath.Join(t.TempDir(), "pilots.jwks")
	if err := os.WriteFile(file, []byte(jwks), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// logo is a file with an image.
func logo(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "logo.svg")
	if err := os.WriteFile(file, []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// values are an environment for a Caddyfile's placeholders. Nothing listens
// where they lead: validating must not connect.
func values(t *testing.T, caddyfile string) []string {
	t.Helper()
	known := map[string]string{
		"DATABASE_URL": "postgres://gatehouse@127.0.0.1:1/gatehouse",
		"REDIS_URL":    "redis://127.0.0.1:1/0",
		"DOMAIN":       "localhost",

		"ENTRA_TENANT_ID": "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55",
		"OPERATOR_HASH":   "$2a$14$UlEaVtrDrYXbdJXg2G07xuc1ZEFJ5sNnSNPVHDVoAeYzWxnd9nVFe",
		"KUBERNETES_CA":   authority(t),
		"APPLE_KEY_FILE":  appleKey(t),
		"PILOTS_JWKS":     publicKeys(t),
		"PAGES_LOGO":      logo(t),
	}
	var pairs []string
	for _, match := range environment.FindAllStringSubmatch(caddyfile, -1) {
		value, ok := known[match[1]]
		if !ok {
			value = "a value that is long enough for a secret"
		}
		pairs = append(pairs, match[1]+"="+value)
	}
	return pairs
}

// binary is the gateway, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join("bin", "gatehouse-for-docs")
	out, err := exec.Command("go", "build", "-tags", tags, "-o", path, "./cmd/gatehouse").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return filepath.Abs(path)
})

func build(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fenced returns README's blocks of a language.
func fenced(t *testing.T, language string) []string {
	t.Helper()
	return fencedIn(t, "README.md", language)
}

// fencedIn returns a page's blocks of a language.
func fencedIn(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

// TestREADME_EveryCommandIsRun: each line of README's sh blocks is one that a
// test runs; see readme_test.go and, for xcaddy and whole sessions of gate,
// integration/.
func TestREADME_EveryCommandIsRun(t *testing.T) {
	var lines []string
	for _, block := range fenced(t, "sh") {
		lines = append(lines, strings.Split(strings.TrimSpace(block), "\n")...)
	}
	known := []string{commandClone, commandQuickstart, commandBuild, commandDoctor, commandRun, commandXcaddy, commandTest, commandGate, commandGateLogin, commandGateCurl}
	slices.Sort(lines)
	slices.Sort(known)
	if !slices.Equal(lines, known) {
		t.Errorf("README says\n%s\nand the tests run\n%s", strings.Join(lines, "\n"), strings.Join(known, "\n"))
	}
}

// TestREADME_KnowsItsOwnCommands: what README mentions within its sentences is
// there, and is called as make build makes it.
func TestREADME_KnowsItsOwnCommands(t *testing.T) {
	gatehouse := build(t)
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	mentioned := regexp.MustCompile("`([a-z/]*gatehouse [a-z][^`]*)`").FindAllStringSubmatch(string(text), -1)
	if len(mentioned) < 3 {
		t.Errorf("README mentions only %v", mentioned)
	}
	for _, match := range mentioned {
		args := strings.Fields(match[1])
		if args[0] == "caddy" {
			args = args[1:]
		} else if args[0] != "bin/gatehouse" {
			t.Errorf("README says %q: there is no such file after make build", match[1])
		}
		if out, err := exec.CommandContext(t.Context(), gatehouse, append(args[1:], "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s --help: %v\n%s", match[1], err, out)
		}
	}
}

func TestPages_LinksLeadSomewhere(t *testing.T) {
	for _, page := range append(pages(t), "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(match[1], "https://") {
				continue
			}
			file, anchor, _ := strings.Cut(match[1], "#")
			target := filepath.Join(filepath.Dir(page), file)
			if file == "" {
				target = page
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s links to %s, which is not there", page, match[1])
				continue
			}
			if anchor != "" && !info.IsDir() && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, match[1])
			}
		}
	}
}

var heading = regexp.MustCompile("(?m)^#{1,6} (.+)$")

// anchors are those that the repository's page makes of headings.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		name := strings.ToLower(regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(match[1], ""))
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestDocs_CommandsRun types the commands of each sh block in docs/ and
// CONTRIBUTING.md, one shell for each page, as its reader would: in a folder with
// bin/gatehouse and the page's first Caddyfile, or the quickstart's where it has
// none. What needs more than that (a server that runs, hours) is marked norun.
func TestDocs_CommandsRun(t *testing.T) {
	gatehouse := build(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range append(pages(t), "CONTRIBUTING.md") {
		commands := commandsIn(t, page)
		if commands == "" {
			continue
		}
		ran++
		t.Run(filepath.Base(page), func(t *testing.T) {
			folder := here
			if page != "CONTRIBUTING.md" {
				folder = readersFolder(t, gatehouse, page)
			}
			shell := exec.CommandContext(t.Context(), "/bin/sh", "-exc", commands)
			shell.Dir = folder
			shell.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
			if caddyfile, err := os.ReadFile(filepath.Join(folder, "Caddyfile")); err == nil {
				shell.Env = append(shell.Env, values(t, string(caddyfile))...)
			}
			if out, err := shell.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\nA command that cannot run here goes into a block marked: sh norun", err, out)
			}
		})
	}
	if ran < 2 {
		t.Errorf("only %d pages have commands: how blocks are marked has changed", ran)
	}
}

// readersFolder is where the reader of a page has followed README.
func readersFolder(t *testing.T, gatehouse, page string) string {
	t.Helper()
	folder := t.TempDir()
	caddyfile, err := os.ReadFile("caddyfiles/quickstart.Caddyfile")
	if blocks := fencedIn(t, page, "caddyfile"); len(blocks) > 0 {
		caddyfile = []byte(blocks[0])
	}
	for _, err := range []error{
		err,
		os.WriteFile(filepath.Join(folder, "Caddyfile"), caddyfile, 0o600),
		os.Mkdir(filepath.Join(folder, "bin"), 0o700),
		os.Symlink(gatehouse, filepath.Join(folder, "bin", "gatehouse")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// shellBlock finds blocks of commands, those within lists too.
var shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")

// commandsIn are those that can be run, as a shell takes them.
func commandsIn(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var commands strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		commands.WriteString(block[1])
	}
	return commands.String()
}

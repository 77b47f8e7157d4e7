package gatehouse_test

import (
	"errors"
	"fmt"
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
		cmd.Env = append(cmd.Env, values(text)...)
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

var environment = regexp.MustCompile(`\{(?:env\.|\$)([A-Z_]+)`)

// values are an environment for a Caddyfile's placeholders. Nothing listens
// where they lead: validating must not connect.
func values(caddyfile string) []string {
	known := map[string]string{
		"DATABASE_URL": "postgres://gatehouse@127.0.0.1:1/gatehouse",
		"REDIS_URL":    "redis://127.0.0.1:1/0",
		"DOMAIN":       "localhost",
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
	text, err := os.ReadFile("README.md")
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

func TestREADME_LinksLeadSomewhere(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(match[1], "https://") {
			continue
		}
		if _, err := os.Stat(match[1]); errors.Is(err, os.ErrNotExist) {
			t.Errorf("README links to %s, which is not there", match[1])
		}
	}
}

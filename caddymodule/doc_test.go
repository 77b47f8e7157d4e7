package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider/preset"
)

// The package's documentation is where people look options up: every option
// that a parser of ours takes is in it.
func TestDoc_HasEveryOption(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("caddyfile*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "provider_local.go", "cache_redis.go")
	option := regexp.MustCompile(`case ((?:"[a-z_]+"(?:, )?)+):`)
	name := regexp.MustCompile(`[a-z_]+`)
	found := 0
	for _, p := range preset.All() {
		if !regexp.MustCompile(`(?m)^//\s.*\b` + p.Name + `\b`).Match(doc) {
			t.Errorf("there is a preset %s, of which the package's documentation says nothing", p.Name)
		}
		for option := range p.Options {
			if !regexp.MustCompile(`(?m)^//\s.*\b` + option + `\b.*# .*` + p.Name + `\b`).Match(doc) {
				t.Errorf("%s takes the option %s, of which the package's documentation says nothing", p.Name, option)
			}
		}
	}
	for option := range clientOptions {
		found++
		if !regexp.MustCompile(`(?m)^//\s+` + option + `\b`).Match(doc) {
			t.Errorf("providers take the option %s, of which the package's documentation says nothing", option)
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range option.FindAllStringSubmatch(string(source), -1) {
			for _, option := range name.FindAllString(match[1], -1) {
				found++
				if !regexp.MustCompile(`(?m)^//\s.*\b` + option + `\b`).Match(doc) {
					t.Errorf("%s takes the option %s, of which the package's documentation says nothing", file, option)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d options were found in the parsers: how they are written has changed", found)
	}
}

package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
)

func TestExamples_AreFormattedAndProvision(t *testing.T) {
	files, err := filepath.Glob("../caddyfiles/*.Caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples (%v)", err)
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("DATABASE_URL", "postgres://127.0.0.1:1/gatehouse")
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1/0")
	t.Setenv("GATEHOUSE_SECRET", "0123456789abcdef0123456789abcdef")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(caddyfile.Format(text)), string(text)); diff != "" {
				t.Errorf("not as caddy fmt would have it:\n%s", diff)
			}
			raw, err := adapt(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provision(t, []byte(raw)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestQuickstart_IsShort(t *testing.T) {
	text, err := os.ReadFile("../caddyfiles/quickstart.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 25 {
		t.Errorf("%d lines, more than 25", lines)
	}
}

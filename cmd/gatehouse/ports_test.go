package main

import (
	"os"
	"strings"
	"testing"
)

func TestPortAdvice_NamesTheLineToChange(t *testing.T) {
	quickstart, err := os.ReadFile("../../caddyfiles/quickstart.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ failure, want string }{
		"site":  {"loading new config: http app module: start: listening on 127.0.0.1:8080: listen tcp 127.0.0.1:8080: bind: address already in use", "http://localhost:8080 {"},
		"app":   {"listen tcp 127.0.0.1:8081: bind: address already in use", "http://localhost:8081 {"},
		"admin": {"starting caddy administration endpoint: listen tcp 127.0.0.1:2019: bind: address already in use", "admin localhost:2020"},
		"other": {"listen tcp :443: bind: address already in use", "Port 443 is taken"},
		"none":  {"listen tcp :443: bind: permission denied", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := portAdvice(tt.failure, "quickstart.Caddyfile", string(quickstart))
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("advice is %q, want it to contain %q", got, tt.want)
			}
		})
	}
}

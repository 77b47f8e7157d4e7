package caddymodule

import (
	"log/slog"
	"strings"
	"testing"
)

// Caddy's matcher path knows no case; a regular expression and CEL do, and a server behind
// that knows none serves /admin where /Admin is guarded.
func TestWarning_OfMatchersThatKnowCase(t *testing.T) {
	for matcher, want := range map[string]bool{
		"path_regexp ^/Admin(/|$)":                         true,
		"not path_regexp ^/Public/":                        true,
		"expression `{http.request.uri.path} == \"/Adm\"`": true,
		"path_regexp (?i)^/Admin(/|$)":                     false,
		"path_regexp ^/admin(/|$)":                         false,
		"path /Admin/*":                                    false,
	} {
		r := serve(t, aliceLocal, "http://app.example.com, http://*.apps.example.com {\n\t@some "+matcher+"\n\tgatehouse @some\n\trespond here\n}")
		var log strings.Builder
		r.app.logger = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := r.app.placeGuards(); err != nil {
			t.Fatal(err)
		}
		for _, site := range []string{"app.example.com", "*.apps.example.com"} {
			said := strings.Contains(strings.Join(r.app.warnings, "\n"), site+": the guard's matcher is case-sensitive")
			logged := strings.Contains(log.String(), "begin the regular expression with (?i)\" site="+site)
			if said != want || logged != want {
				t.Errorf("%s at %s: told the doctor %v, logged %v:\n%s", matcher, site, said, logged, log.String())
			}
		}
	}
}

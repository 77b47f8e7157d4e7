package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

// expand replaces the placeholders of an option's value. A placeholder that is
// unknown or expands to nothing is an error that names the option, never an
// empty value: an empty DATABASE_URL would mean the local socket. The value
// itself is in no error.
func expand(option, value string) (string, error) {
	expanded, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, whyEmpty(value, err))
	}
	if strings.TrimSpace(expanded) == "" {
		return "", fmt.Errorf("%s is empty", option)
	}
	return expanded, nil
}

var outsidePlaceholder = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// whyEmpty names the variables and files that a value lacks. Where none is lacking
// the placeholder is unknown, as err says.
func whyEmpty(value string, err error) error {
	var lacking []string
	for _, found := range outsidePlaceholder.FindAllStringSubmatch(value, -1) {
		whole, kind, name := found[0], found[1], found[2]
		if _, err := caddy.NewReplacer().ReplaceOrErr(whole, true, true); err == nil {
			continue
		}
		if kind == "env" {
			lacking = append(lacking, "environment variable not set or empty: "+name)
		} else {
			lacking = append(lacking, "file missing, unreadable or empty: "+name)
		}
	}
	if len(lacking) == 0 {
		return fmt.Errorf("%w; a variable of the environment is {env.NAME}, a file {file./run/secrets/NAME}", err)
	}
	return errors.New(strings.Join(lacking, ", "))
}

// isLiteral reports whether a value has no placeholder, so that it is written out
// in the configuration, its dumps and autosave.json.
func isLiteral(value string) bool {
	open := strings.IndexByte(value, '{')
	return open < 0 || !strings.Contains(value[open:], "}")
}

// warnLiteral warns about a secret that is written in the Caddyfile itself.
// {$VAR} counts as one: it is replaced before the Caddyfile is read, so it ends
// up in the configuration's dumps too.
func warnLiteral(d *caddyfile.Dispenser, option, value string) {
	if !isLiteral(value) {
		return
	}
	caddy.Log().Named("gatehouse").Warn(
		option+" is written out in the configuration; keep it in a file or the environment and write {file./run/secrets/NAME} or {env.NAME}",
		zap.String("file", d.File()), zap.Int("line", d.Line()))
}

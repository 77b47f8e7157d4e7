package caddymodule

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unseen is something of the client's request that forward auth cannot know: a matcher
// that looks there would see the proxy's question, and let everybody pass.
type unseen struct {
	pattern *regexp.Regexp
	what    string
}

const (
	itsTLS     = "the client's TLS connection, which ends at the proxy"
	itsVersion = "the client's version of HTTP, which proxies do not pass on"
	itsFiles   = "files of the site, which the proxy serves"
)

// unseenPlaceholders may stand in any matcher, unseenCalls in an expression.
var (
	unseenPlaceholders = []unseen{
		{regexp.MustCompile(`\{http\.request\.body`), "the body of the request, which proxies do not send along"},
		{regexp.MustCompile(`\{http\.request\.tls\.`), itsTLS},
		{regexp.MustCompile(`\{http\.request\.proto\}`), itsVersion},
		{regexp.MustCompile(`\{http\.request\.(local|remote\.port|uuid|duration)`), "the connection of the request, which is the proxy's"},
	}
	unseenCalls = []unseen{
		{regexp.MustCompile(`\btls\s*\(`), itsTLS},
		{regexp.MustCompile(`\bprotocol\s*\(\s*["'` + "`" + `]http/`), itsVersion},
		{regexp.MustCompile(`\bfile\s*\(`), itsFiles},
	}
)

// checkSeen refuses matchers about what only the proxy knows.
func checkSeen(sets caddyhttp.RawMatcherSets) error {
	for _, set := range sets {
		for name, config := range set {
			if err := checkSeenBy(name, config); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkSeenBy(name string, config json.RawMessage) error {
	if name == "not" {
		var sets caddyhttp.RawMatcherSets
		_ = json.Unmarshal(config, &sets) // loading it tells what is wrong
		return checkSeen(sets)
	}
	if what := unseenBy(name, config); what != "" {
		return fmt.Errorf("the matcher %s of gatehouse_forward_auth looks at %s; leave it out, or guard the site in Caddy itself with gatehouse", name, what)
	}
	return nil
}

// unseenBy is what a matcher looks at and cannot see, or "".
func unseenBy(name string, config json.RawMessage) string {
	var value any
	_ = json.Unmarshal(config, &value)
	_, text := textOf(value)
	looked := unseenPlaceholders
	switch name {
	case "tls":
		return itsTLS
	case "file":
		return itsFiles
	case "protocol":
		if strings.Contains(strings.ToLower(text), "http/") {
			return itsVersion
		}
	case "expression":
		looked = slices.Concat(unseenPlaceholders, unseenCalls)
	}
	for _, u := range looked {
		if u.pattern.MatchString(text) {
			return u.what
		}
	}
	var looks sight
	if looks.find(name, config); looks.variables {
		return "variables, which handlers of this site make of the proxy's question and not of the client's request"
	}
	return ""
}

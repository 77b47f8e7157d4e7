package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// sight is what a matcher looks at beside the path and the method, as far as
// its JSON shows.
type sight struct {
	reading.Looks
	headers []string // canonical names
	cookies []string
	// variables says that it looks at what a handler before the guard made of
	// the request. That handler judged one reading.
	variables bool
	// capitals says that it compares paths, by case, with one that has capitals.
	capitals bool
}

// sights are those of a set's matchers.
type sights []matcherSight

// matcherSight is a matcher and what it looks at; for the matcher not, those of
// its sets.
type matcherSight struct {
	sight
	matcher any
	not     []sights
	isNot   bool
}

// provisionMatchers loads the matchers and finds out what they look at.
func (g *Guard) provisionMatchers(ctx caddy.Context) error {
	raw := slices.Clone(g.MatcherSetsRaw) // which loading empties
	matchers, err := ctx.LoadModule(g, "MatcherSetsRaw")
	if err != nil {
		return fmt.Errorf("loading matchers: %w", err)
	}
	if err := g.matchers.FromInterface(matchers); err != nil {
		return err
	}
	sets := make([]caddyhttp.MatcherSet, len(g.matchers))
	copy(sets, g.matchers)
	g.sights = sightsOf(raw, sets, &g.sight)
	return nil
}

// sightsOf tells what matchers look at from the JSON that they were loaded from,
// and adds it to all.
func sightsOf(raw []caddy.ModuleMap, sets []caddyhttp.MatcherSet, all *sight) []sights {
	found := make([]sights, len(sets))
	for i, set := range sets {
		for _, matcher := range set {
			m := matcherSight{matcher: matcher}
			name := ""
			if module, ok := matcher.(caddy.Module); ok {
				name = module.CaddyModule().ID.Name()
			}
			var config json.RawMessage
			if i < len(raw) {
				config = raw[i][name]
			}
			if not, ok := matcher.(*caddyhttp.MatchNot); ok {
				var inner []caddy.ModuleMap
				_ = json.Unmarshal(config, &inner) // it was loaded from it
				m.isNot, m.not = true, sightsOf(inner, not.MatcherSets, all)
			} else {
				m.find(name, config)
				m.capitals = m.Case && upperPath.Match(config)
				all.add(m.sight)
			}
			found[i] = append(found[i], m)
		}
	}
	return found
}

func (s *sight) add(other sight) {
	s.Query = s.Query || other.Query
	s.Case = s.Case || other.Case
	s.capitals = s.capitals || other.capitals
	s.variables = s.variables || other.variables
	s.Names = append(s.Names, other.Names...)
	s.headers = append(s.headers, other.headers...)
	s.cookies = append(s.cookies, other.cookies...)
}

var (
	placeholders   = regexp.MustCompile(`\{([A-Za-z_][^{}\s"']*)\}`)
	literalKeys    = regexp.MustCompile(`["']([^"']+)["']\s*:`)
	literals       = regexp.MustCompile(`["']([^"']+)["']`)
	queryCall      = regexp.MustCompile(`\bquery\s*\(`)
	headerCall     = regexp.MustCompile(`\bheader(_regexp)?\s*\(`)
	pathRegexpCall = regexp.MustCompile(`\bpath_regexp\s*\(`)
	// upperPath is a path with a capital letter, in a pattern or a literal.
	upperPath     = regexp.MustCompile(`/[a-z0-9_.-]*[A-Z]`)
	varsCall      = regexp.MustCompile(`\bvars(_regexp)?\s*\(`)
	fixedPrefixes = []string{"env.", "file.", "system.", "time.", "http.shutting_down", "http.time_until_shutdown"}
)

// find fills in what a matcher of Caddy's looks at. Another one may look at the
// query.
func (s *sight) find(name string, config json.RawMessage) {
	var value any
	_ = json.Unmarshal(config, &value) // it was loaded from it
	keys, text := textOf(value)
	switch name {
	case "query":
		s.Query, s.Names = true, append(s.Names, keys...)
	case "header", "header_regexp":
		for _, key := range keys {
			s.headers = append(s.headers, http.CanonicalHeaderKey(key))
		}
	case "vars", "vars_regexp":
		s.variables = slices.ContainsFunc(keys, func(key string) bool { return !strings.HasPrefix(key, "{") })
	case "path_regexp":
		s.Case = !strings.Contains(text, "(?i)")
	case "expression":
		s.findCalls(text)
	case "path", "method", "host", "protocol", "remote_ip", "client_ip", "tls", "file", "gatehouse":
	default:
		s.Query = true
	}
	s.findPlaceholders([]byte(text))
}

func (s *sight) findPlaceholders(text []byte) {
	for _, found := range placeholders.FindAllSubmatch(text, -1) {
		s.findPlaceholder(string(found[1]))
	}
}

// findCalls looks for Caddy's matchers among the functions of an expression.
func (s *sight) findCalls(text string) {
	if queryCall.MatchString(text) {
		s.Query = true
		for _, found := range literalKeys.FindAllStringSubmatch(text, -1) {
			s.Names = append(s.Names, found[1])
		}
	}
	if headerCall.MatchString(text) {
		for _, found := range literals.FindAllStringSubmatch(text, -1) {
			s.headers = append(s.headers, http.CanonicalHeaderKey(found[1]))
		}
	}
	s.Case = s.Case || pathRegexpCall.MatchString(text)
	s.variables = s.variables || varsCall.MatchString(text)
}

func (s *sight) findPlaceholder(name string) {
	rest, ofRequest := strings.CutPrefix(name, "http.request.")
	if !ofRequest {
		s.variables = s.variables || !slices.ContainsFunc(fixedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		return
	}
	rest = strings.TrimPrefix(rest, "orig_")
	switch kind, of, _ := strings.Cut(rest, "."); kind {
	case "header":
		s.headers = append(s.headers, http.CanonicalHeaderKey(of))
	case "cookie":
		s.cookies = append(s.cookies, of)
	case "uri", "uri_escaped":
		s.Case = true
		if strings.HasPrefix(of, "path") {
			return
		}
		s.Query = true
		if parameter, ok := strings.CutPrefix(of, "query."); ok {
			s.Names = append(s.Names, parameter)
		}
	}
}

// textOf is the keys of a JSON object, and all text in it.
func textOf(value any) (keys []string, text string) {
	switch v := value.(type) {
	case string:
		return nil, v + "\n"
	case []any:
		for _, item := range v {
			_, t := textOf(item)
			text += t
		}
	case map[string]any:
		for key, item := range v {
			_, t := textOf(item)
			keys = append(keys, key)
			text += key + "\n" + t
		}
	}
	return keys, text
}

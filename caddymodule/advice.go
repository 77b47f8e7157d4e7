package caddymodule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Advice is what is probably meant by a Caddyfile that Caddy refused in words of
// its own, before it came to a parser of ours: a misspelt directive, or a brace
// that is missing or too many. It is "" where we know no better.
func Advice(failure string) string {
	if endsOpen.MatchString(failure) {
		return "The file ends inside a block: a } is missing, of that block or of one before it"
	}
	for _, refusal := range refusals {
		if at := refusal.said.FindStringSubmatch(failure); at != nil {
			if advice := refusal.advise(at[3]); advice != "" {
				return fmt.Sprintf("Line %s of %s: %s", at[2], at[1], advice)
			}
		}
	}
	return ""
}

var endsOpen = regexp.MustCompile(`unexpected EOF, at |syntax error: unexpected token '[^']*', expecting '}'`)

// refusals are Caddy's words, with file, line and the word that was refused.
var refusals = []struct {
	said   *regexp.Regexp
	advise func(word string) string
}{
	{regexp.MustCompile(`(\S+):(\d+): unrecognized directive: (\S+)\nDid you mean to define a second site`), adviseOnBareSite},
	{regexp.MustCompile(`(\S+):(\d+): unrecognized directive: (\S+)`), adviseOnDirective},
	{regexp.MustCompile(`(\S+):(\d+): unrecognized global option: (\S+)`), adviseOnGlobal},
	{regexp.MustCompile(`(\S+):(\d+): parsed '(\S+)' as a site address, but it is a known directive`), adviseOnSite},
}

// guardOptions are what stands in the block of the directive gatehouse.
var guardOptions = []string{
	"accept_tokens", "allow", "app_credentials", "basic_token", "clear_site_data", "cookie", "cors", "deny", "dry_run", "finish_uploads", "headers", "hosts",
	"idle_ignore", "logout_redirect",
	"optional", "provider", "provider_token", "require", "resource", "self_registered", "serve_stale", "upgrades",
}

func adviseOnDirective(word string) string {
	switch name, glued := strings.CutSuffix(word, "{"); {
	case glued:
		return "a space is missing before the brace: " + name + " {"
	case isAddress(word):
		return "a site begins inside another block: is a } missing above it?"
	case slices.Contains(globalOptions, word):
		place := word + " stands in the block gatehouse { … } of the global options, at the top of the Caddyfile"
		if slices.Contains(guardOptions, word) {
			place += ", or in the block of the site's directive: gatehouse { " + word + " … }"
		}
		return place
	case slices.Contains(guardOptions, word):
		return word + " stands in the block of the site's directive: gatehouse { " + word + " … }"
	}
	return didYouMeanOnly(word, "gatehouse", "gatehouse_forward_auth", "gatehouse_portal")
}

// adviseOnBareSite is about a word after a site's address that has no braces.
func adviseOnBareSite(word string) string {
	if isAddress(word) {
		return "is a } above it one too many?"
	}
	return adviseOnDirective(word)
}

func adviseOnGlobal(word string) string {
	switch {
	case word == "gatehouse_portal":
		return "gatehouse_portal stands in a site: auth.example.com { gatehouse_portal }"
	case slices.Contains(globalOptions, word):
		return word + " stands in the block gatehouse { … } of the global options, which is not open here: it was not begun, or a } above has closed it"
	case slices.Contains(guardOptions, word):
		return word + " stands in a provider or a policy of the block gatehouse { … }, which is not open here: it was not begun, or a } above has closed it"
	case strings.HasSuffix(word, "{"), isAddress(word):
		return adviseOnDirective(word)
	}
	return didYouMeanOnly(word, "gatehouse")
}

func adviseOnSite(word string) string {
	if word != "gatehouse" {
		return "is a } above it one too many?"
	}
	return "if this is to say how people sign in, it stands in the global options, in braces of their own at the top: { gatehouse { … } }"
}

// didYouMeanOnly is [didYouMean] for the few words of ours among many: it names
// one that is near, or none.
func didYouMeanOnly(word string, ours ...string) string {
	meant, near := strings.CutPrefix(didYouMean(word, ours), "; did")
	if !near {
		return ""
	}
	return "did" + meant
}

// isAddress reports whether a word looks like a site's address, and so like nothing
// that stands inside a block.
func isAddress(word string) bool {
	return strings.Contains(word, "://") || strings.ContainsAny(word, ".:*") || word == "localhost"
}

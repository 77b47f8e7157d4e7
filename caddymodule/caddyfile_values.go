package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unset is the end of an error about a value that is missing: Caddy replaces
// {$NAME} before anything else reads the Caddyfile, by nothing where the variable
// is not set, so that all that is seen here is an option without a value.
const unset = "; if {$NAME} stands there, that environment variable is not set or empty"

func missingValue(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s needs a value%s", option, unset)
}

// tooMany is an error about further values, which may be parts of a secret.
func tooMany(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s takes one value, and there are more; write a value with spaces in quotes", option)
}

// noArgsBehind refuses values behind the current word.
func noArgsBehind(d *caddyfile.Dispenser) error {
	word := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no value in its line", word)
	}
	return nil
}

// noGluedBrace refuses a brace at the end of a word: to Caddy it is part of that,
// and opens nothing. The word is in no error, since it may be a hash.
func noGluedBrace(d *caddyfile.Dispenser) error {
	line := *d // which stays where it is
	for more := true; more; more = line.NextArg() {
		if word := line.Val(); word != "{" && strings.HasSuffix(word, "{") && !line.Token().Quoted() {
			return d.Err("a space is missing before the { at the end of the line")
		}
	}
	return nil
}

// noBlock refuses a block.
func noBlock(d *caddyfile.Dispenser) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Err("no block is expected here")
	}
	return nil
}

// oneArg takes exactly one argument and no block.
func oneArg(d *caddyfile.Dispenser, target *string) error {
	option := d.Val()
	if !d.NextArg() || strings.TrimSpace(d.Val()) == "" {
		return missingValue(d, option)
	}
	*target = d.Val()
	if d.NextArg() {
		return tooMany(d, option)
	}
	return noBlock(d)
}

// someArgs takes one or more arguments and adds them.
func someArgs(d *caddyfile.Dispenser, target *[]string) error {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return missingValue(d, option)
	}
	*target = append(*target, args...)
	return noBlock(d)
}

// flag takes an option without arguments.
func flag(d *caddyfile.Dispenser, target *bool) error {
	if err := noArgsBehind(d); err != nil {
		return err
	}
	*target = true
	return noBlock(d)
}

func durationArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return 0, err
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration <= 0 {
		return 0, d.Errf("%s: %q is not a duration such as 10m, 12h or 7d", option, text)
	}
	return caddy.Duration(duration), nil
}

package caddymodule

import (
	"regexp"
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

var shellVariable = regexp.MustCompile(`^\$\{?[A-Z_][A-Z0-9_]*\}?$`)

// checkValue refuses a value that is there and yet is none: an empty one in
// quotes, and a variable as shells have them. It may be a secret, and is in no
// error.
func checkValue(d *caddyfile.Dispenser, option, value string) error {
	if strings.TrimSpace(value) == "" {
		return missingValue(d, option)
	}
	if shellVariable.MatchString(value) {
		return d.Errf("%s: a shell's $NAME is not replaced here; write {env.NAME}", option)
	}
	return nil
}

// oneArg takes exactly one argument and no block.
func oneArg(d *caddyfile.Dispenser, target *string) error {
	option := d.Val()
	if !d.NextArg() {
		return missingValue(d, option)
	}
	*target = d.Val()
	if err := checkValue(d, option, *target); err != nil {
		return err
	}
	if d.NextArg() {
		return tooMany(d, option)
	}
	return noBlock(d)
}

// someArgs takes one or more arguments and adds them.
func someArgs(d *caddyfile.Dispenser, target *[]string) error {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return missingValue(d, option)
	}
	for _, value := range args {
		if err := checkValue(d, option, value); err != nil {
			return err
		}
	}
	*target = append(*target, args...)
	return noBlock(d)
}

// someWords takes one or more words, in which a comma is a mistake: one word "a,b"
// would allow nobody what a and b were to have, and deny it to nobody.
func someWords(d *caddyfile.Dispenser, target *[]string) error {
	for line := *d; line.NextArg(); {
		if err := noComma(&line, d.Val()); err != nil {
			return err
		}
	}
	return someArgs(d, target)
}

func noComma(d *caddyfile.Dispenser, option string) error {
	if strings.Contains(d.Val(), ",") && !d.Token().Quoted() {
		return d.Errf("%s: separate values by spaces, not commas; a value with a comma is written in quotes", option)
	}
	return nil
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

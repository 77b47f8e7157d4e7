package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scope is what one scope means.
type Scope struct {
	// Words say it to who is asked for consent, such as "Change your files".
	Words string `json:"words,omitempty"`
	// Implies are narrower scopes that count as granted with it. Default: none.
	Implies []string `json:"implies,omitempty"`
}

// Catalog holds the scopes that the configuration explains, by name. It is not changed
// after it is in use.
type Catalog map[string]Scope

// maxWords bounds what is said of a scope, in bytes.
const maxWords = 200

// Validate names the first fault of what is said of a scope.
func (s Scope) Validate(name string) error {
	switch {
	case !IsToken(name):
		return fmt.Errorf("scope %.40q is not valid (RFC 6749, section 3.3)", name)
	case slices.Contains(standard(), name):
		return fmt.Errorf("scope %s has a meaning of its own (OpenID Connect Core, section 5.4); explain only scopes of your applications", name)
	case strings.TrimSpace(s.Words) == "":
		return fmt.Errorf("scope %s needs words for the consent page, such as \"Change your files\"", name)
	case len(s.Words) > maxWords || !utf8.ValidString(s.Words) || strings.ContainsFunc(s.Words, func(c rune) bool { return !unicode.IsPrint(c) }):
		return fmt.Errorf("the words of scope %s must be printable and at most %d bytes", name, maxWords)
	}
	for _, other := range s.Implies {
		switch {
		case !IsToken(other):
			return fmt.Errorf("scope %.40q is not valid (RFC 6749, section 3.3)", other)
		case other == name:
			return fmt.Errorf("scope %s implies itself", name)
		case slices.Contains(standard(), other):
			return fmt.Errorf("scope %s cannot imply %s, which people must see on the consent page", name, other)
		}
	}
	return nil
}

// standard are the scopes whose meaning is not the configuration's.
func standard() []string {
	return []string{"openid", "profile", "email", "groups", "offline_access", "address", "phone"}
}

// IsToken reports whether a text is a scope-token (RFC 6749, section 3.3).
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' })
}

// ErrCircle: scopes imply each other in a circle.
var ErrCircle = errors.New("scopes imply each other in a circle")

// Validate names the first fault.
func (c Catalog) Validate() error {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c[name].Validate(name); err != nil {
			return err
		}
		for _, implied := range c[name].Implies {
			if slices.Contains(c.Expand([]string{implied}), name) {
				return fmt.Errorf("%w: %s and %s", ErrCircle, name, implied)
			}
		}
	}
	return nil
}

// Expand adds to scopes what they imply.
func (c Catalog) Expand(scopes []string) []string {
	if len(c) == 0 {
		return scopes
	}
	all := slices.Clone(scopes)
	for i := 0; i < len(all); i++ {
		for _, implied := range c[all[i]].Implies {
			if !slices.Contains(all, implied) {
				all = append(all, implied)
			}
		}
	}
	return all
}

// Covers reports whether scopes that somebody has contain, or imply, all that are wanted.
// It allocates nothing where they contain them.
func (c Catalog) Covers(have, want []string) bool {
	var all []string
	for _, w := range want {
		if slices.Contains(have, w) {
			continue
		}
		if len(c) == 0 {
			return false
		}
		if all == nil {
			all = c.Expand(have)
		}
		if !slices.Contains(all, w) {
			return false
		}
	}
	return true
}

package page

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxURL is the longest address that somebody else gives for a link, a form or
// a redirect, and MaxField the longest such value of a hidden field, in bytes as they are
// sent. What is much longer is left out of a page, so whoever shows one must have
// refused it before.
//
// A request line of 8 KiB is what proxies and servers commonly take (nginx, Apache).
// maxOwn is what our own pages take: a sealed request of a site whose address is that
// long.
const (
	MaxURL   = 8000
	MaxField = 8192
	maxOwn   = 16_000
)

// Longest texts shown, in runes. They bound what a request can make a page
// hold; what is cut ends in an ellipsis.
const (
	maxName  = 80  // of a person, client, provider or browser
	maxHost  = 253 // a host name, as long as one can be: a cut one would hide its domain
	maxLine  = 200 // a title, a scope in words, an error code
	maxText  = 600 // a message
	maxItems = 40  // of a list
)

// line makes text fit for one line of a page: valid UTF-8, no control
// characters, nothing that turns the direction of what follows (such text could
// make one host name look like another), at most limit runes.
func line(s string, limit int) string {
	s, cut := clip(s, limit)
	s = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case unicode.Is(unicode.C, c) || c == utf8.RuneError:
			return -1
		}
		return c
	}, s)
	s = strings.TrimSpace(s)
	if cut {
		return s + "…"
	}
	return s
}

// entered is what somebody typed and will edit: cut, but with no ellipsis.
func entered(s string, limit int) string {
	s, _ = clip(s, limit)
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// clip cuts s after limit runes, without reading the rest of it.
func clip(s string, limit int) (string, bool) {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i], true
		}
		n++
	}
	return s, false
}

func lines(list []string, limit int) []string {
	more := len(list) - maxItems
	if more > 0 {
		list = list[:maxItems]
	}
	out := make([]string, 0, len(list)+1)
	for _, s := range list {
		if s = line(s, limit); s != "" {
			out = append(out, s)
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}

// address is a URL for a link or a form. A URL that is too long is dropped and
// not cut: half an address leads elsewhere. Schemes are html/template's care.
func address(s string) string {
	if len(s) > maxOwn || !utf8.ValidString(s) {
		return ""
	}
	return s
}

// whole keeps hidden fields as they are, or not at all: a form that lacks a
// field is refused by its handler, one with half a value might be believed.
func whole(fields []Field) []Field {
	out := make([]Field, 0, len(fields))
	for _, f := range fields {
		if len(out) == maxItems {
			break
		}
		if len(f.Name) > maxLine || len(f.Value) > maxOwn || !utf8.ValidString(f.Name+f.Value) {
			continue
		}
		out = append(out, f)
	}
	return out
}

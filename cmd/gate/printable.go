package main

import (
	"strings"
	"unicode"
)

// maxPrinted bounds what a server can put on somebody's screen, in characters.
const maxPrinted = 600

// printable makes text of a server harmless for a terminal: no control
// characters, so no escape sequences, and nothing that reverses or hides text.
func printable(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > maxPrinted {
			return -1
		}
		if r == '\t' {
			return ' '
		}
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

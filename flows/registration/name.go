package registration

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name, in characters.
const maxName = 60

// CleanName is a name that a client gives itself, as it can be shown: one line, without
// control characters or such as change the direction of what follows, with which a name
// could change what the page around it says. What is too long is cut.
func CleanName(name string) string {
	if len(name) > 8*maxName {
		name = strings.ToValidUTF8(name[:8*maxName], "")
	}
	clean := strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case c == utf8.RuneError, unicode.Is(unicode.C, c), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, c):
			return -1
		}
		return c
	}, name)
	clean = strings.Join(strings.Fields(clean), " ")
	if short := []rune(clean); len(short) > maxName {
		clean = strings.TrimSpace(string(short[:maxName-1])) + "…"
	}
	return clean
}

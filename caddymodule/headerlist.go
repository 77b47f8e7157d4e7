package caddymodule

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf16"
)

// listFormat is how groups, and claims that are lists, are written into a header.
type listFormat struct {
	as        string
	separator byte
	refuse    bool // whoever has a value with the separator
}

// errSeparator: a value has the character that separates values.
var errSeparator = errors.New("a group, or a value of a claim, has the separator in it")

// write makes the header's lines of values, none of no values. One line is written
// into the slot, which is the request's own.
func (f listFormat) write(values []string, slot []string) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	switch f.as {
	case groupsRepeated:
		lines := make([]string, len(values))
		for i, v := range values {
			lines[i] = headerValue(v)
		}
		return lines, nil
	case groupsJSON:
		slot[0] = asciiJSON(values)
		return slot, nil
	}
	if f.refuse && f.separates(values) {
		return nil, errSeparator
	}
	slot[0] = joinValues(values, f.separator)
	return slot, nil
}

func (f listFormat) separates(values []string) bool {
	for _, v := range values {
		if strings.IndexByte(v, f.separator) >= 0 {
			return true
		}
	}
	return false
}

// asciiJSON is a value as JSON that a header carries unharmed: all but ASCII is
// written as \uXXXX (RFC 8259, section 7).
func asciiJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(raw))
	for _, r := range string(raw) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		units := []rune{r}
		if high, low := utf16.EncodeRune(r); r > 0xffff {
			units = []rune{high, low}
		}
		for _, u := range units {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[u>>shift&15])
			}
		}
	}
	return b.String()
}

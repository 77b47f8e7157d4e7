package oidc

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// stringOf is a JSON string of UTF-8. The decoder would mend what is none, and so
// make two values one.
func stringOf(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || !utf8.Valid(raw) || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

func listOf(raw json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	return list, true
}

// isDigits reports whether a number is written as one does by hand.
func isDigits(raw json.RawMessage) bool {
	return len(raw) > 0 && len(raw) < 20 && len(bytes.Trim(raw, "0123456789")) == 0
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// kindOf names the kind of a JSON value.
func kindOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "missing"
	}
	switch raw[0] {
	case '"':
		return "a string"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// namesTwice reports whether a JSON object names a member twice: of such, each
// reader takes another (RFC 8259, section 4).
func namesTwice(object []byte) bool {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return false
		}
		if seen[name] {
			return true
		}
		seen[name] = true
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}

package reading

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQuery bounds the query that is read; many servers take less.
const maxQuery = 64 << 10

// parameter is a name and a value of a query, decoded.
type parameter struct{ name, value string }

// IsQueryReadable reports whether all servers take the same parameters out of a
// query, but for which of several of one name counts: it holds no semicolon, no
// fragment, no broken escape and nothing that is not UTF-8, and is not very long.
func IsQueryReadable(raw string) bool {
	_, ok := parameters(raw)
	return ok
}

// IsQueryPlain reports whether all servers find the same value under each of these
// names, or under any where there are none: the query is readable, and each is there
// once at most, in no other spelling and escaped no more than once.
func IsQueryPlain(raw string, names []string) bool {
	all, ok := parameters(raw)
	if !ok {
		return false
	}
	forms := make(map[string]bool) // those that were found
	for _, name := range names {
		forms[nameForm(name)] = false
	}
	for _, p := range all {
		form := nameForm(p.name)
		found, wanted := forms[form]
		if len(names) > 0 && !wanted {
			continue
		}
		if found || strings.Contains(p.value, "%") || len(names) > 0 && !slices.Contains(names, p.name) {
			return false
		}
		forms[form] = true
	}
	return true
}

// parameters are those of a query that is readable.
func parameters(raw string) ([]parameter, bool) {
	if len(raw) > maxQuery || strings.ContainsAny(raw, ";#") {
		return nil, false
	}
	var all []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, false
		}
		all = append(all, parameter{name, value})
	}
	return all, true
}

// queries are the readings of a query other than as it was sent, none where it
// cannot be read: of several parameters of one name the first or the last, and
// names as PHP, qs and ASP.NET make them. Names are those that somebody looks
// for.
func queries(raw string, names []string) []string {
	sent, ok := parameters(raw)
	if !ok || len(sent) == 0 {
		return nil
	}
	var all []string
	add := func(parameters []parameter) {
		if q := encode(parameters); q != raw && !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	for _, read := range [][]parameter{sent, renamed(sent, names), twice(sent), renamed(twice(sent), names), trimmed(renamed(twice(sent), names))} {
		add(read)
		add(firsts(read))
		slices.Reverse(read)
		last := firsts(read)
		slices.Reverse(last)
		slices.Reverse(read)
		add(last)
	}
	return all
}

func encode(parameters []parameter) string {
	var b strings.Builder
	for i, p := range parameters {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// firsts keeps the first parameter of each name.
func firsts(parameters []parameter) []parameter {
	var kept []parameter
	seen := make(map[string]struct{}, len(parameters))
	for _, p := range parameters {
		if _, again := seen[p.name]; !again {
			seen[p.name] = struct{}{}
			kept = append(kept, p)
		}
	}
	return kept
}

// twice decodes names and values once more, where that is possible.
func twice(parameters []parameter) []parameter {
	again := slices.Clone(parameters)
	for i, p := range again {
		if name, err := url.QueryUnescape(p.name); err == nil && strings.Contains(p.name, "%") {
			again[i].name = name
		}
		if value, err := url.QueryUnescape(p.value); err == nil && strings.Contains(p.value, "%") {
			again[i].value = value
		}
	}
	return again
}

// trimmed has values as frameworks make them that trim white space (Laravel), end a
// text at a NUL, or compare in one case (SQL's collations).
func trimmed(parameters []parameter) []parameter {
	read := slices.Clone(parameters)
	for i, p := range read {
		value, _, _ := strings.Cut(p.value, "\x00")
		read[i].value = strings.ToLower(strings.TrimFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f || unicode.IsSpace(r) }))
	}
	return read
}

// renamed gives parameters the names that are looked for where a server might
// find them under these.
func renamed(parameters []parameter, names []string) []parameter {
	wanted := make(map[string]string, len(names))
	for _, name := range names {
		wanted[nameForm(name)] = name
	}
	read := slices.Clone(parameters)
	for i, p := range read {
		if name, ok := wanted[nameForm(p.name)]; ok {
			read[i].name = name
		}
	}
	return read
}

// nameForm is what is left of a parameter's name in the servers that keep the
// least of it: PHP drops spaces before it, ends it at a NUL and makes
// underscores of dots and spaces; PHP and qs take "a[]" and "a[x]" for a; to
// ASP.NET and nginx case does not count.
func nameForm(name string) string {
	name = strings.TrimLeft(name, " \t\r\n\v\f")
	name, _, _ = strings.Cut(name, "\x00")
	if i := strings.IndexByte(name, '['); i > 0 {
		name = name[:i]
	}
	return strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(name, ".", "_"), " ", "_"))
}

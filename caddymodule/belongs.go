package caddymodule

import (
	"slices"
	"strings"
)

// blocks are those whose options are most often written in another one, and how each is
// opened. The options of providers follow in init, since their parsers come here.
var blocks = []struct {
	opens   string
	options []string
}{
	{"a guard: gatehouse { ", guardOptions},
	{"an OAuth client: client ID { ", oauthClientOptions},
	{"a provider: provider NAME { ", nil},
	{"a provider's block: accept_tokens { ", []string{"audience", "workload", "introspect"}},
	{"the pages: pages { ", pageOptions},
}

func init() {
	for name := range clientOptions {
		blocks[2].options = append(blocks[2].options, name)
	}
	blocks[2].options = append(blocks[2].options, everyProvidersOptions...)
}

// belongs is the end of an error about an option that is known in other blocks, "" if it
// is known in none.
func belongs(word string) string {
	var places []string
	for _, b := range blocks {
		if slices.Contains(b.options, word) {
			places = append(places, "of "+b.opens+word+" … }")
		}
	}
	if len(places) == 0 {
		return ""
	}
	return "; it is an option " + strings.Join(places, ", or ")
}

package caddymodule

import (
	"slices"
	"strconv"
	"strings"
)

// didYouMean is the end of an error about an unknown word: the nearest known
// one, or all of them when none is near.
func didYouMean(word string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, bestDistance := "", len(word)/3+2
	for _, k := range known {
		if len(word) > 3 && strings.HasPrefix(k, strings.ToLower(word)+"_") {
			return "; did you mean " + strconv.Quote(k) + "?"
		}
	}
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return "; did you mean " + strconv.Quote(best) + "?"
	}
	sorted := slices.Sorted(slices.Values(known))
	return "; known: " + strings.Join(sorted, ", ")
}

// braceMissing is the end of an error about a word that does not belong into the
// block that is open.
const braceMissing = "; is a } missing above it?"

// meant is the end of an error about an unknown option of a block. A word of the
// block around it, or a site's address, tells that the block was not closed; one of
// another block is led there.
func meant(word string, known []string, around ...string) string {
	switch {
	case slices.Contains(known, word+"s"): // scope for scopes
		return didYouMean(word, known)
	case slices.Contains(around, word), isAddress(word):
		return braceMissing
	}
	if elsewhere := belongs(word); elsewhere != "" {
		return elsewhere
	}
	return didYouMean(word, known)
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment).
func editDistance(a, b string) int {
	before := make([]int, len(b)+1)
	previous := make([]int, len(b)+1)
	current := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}

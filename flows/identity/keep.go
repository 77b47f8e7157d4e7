package identity

import (
	"regexp"
	"slices"
	"strings"
)

// MaxGroupsSize is how many bytes the groups of one user may have that are kept with a
// session, each with three for what is between them.
const MaxGroupsSize = 16 << 10

// Keep says which groups of a user are kept once all have been judged. Those that a rule
// names always are, as far as there is room. The zero value keeps all that fit.
type Keep struct {
	named []string
	globs *regexp.Regexp // nil: all
}

// NewKeep makes a Keep of the groups that rules name, and of the patterns of those that
// are wanted besides, in which * stands for any characters; none stands for all.
func NewKeep(named, globs []string) Keep {
	k := Keep{named: slices.Compact(slices.Sorted(slices.Values(named)))}
	if len(globs) == 0 {
		return k
	}
	patterns := make([]string, 0, len(globs))
	for _, glob := range globs {
		patterns = append(patterns, strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`))
	}
	k.globs = regexp.MustCompile(`^(?s:` + strings.Join(patterns, "|") + `)$`) // of quoted text only
	return k
}

// Apply leaves out of the claims the groups that are not kept, and returns how many.
// It writes into no slice that it finds. Rules that are about none of the groups that
// were judged take those left out for ones that the user may be in:
// [Claims.MayBeInGroup].
func (k Keep) Apply(c *Claims) (left int) {
	var named, others []string
	for _, g := range c.Groups {
		switch {
		case slices.Contains(k.named, g):
			named = append(named, g)
		case k.globs == nil || k.globs.MatchString(g):
			others = append(others, g)
		}
	}
	kept := make([]string, 0, len(named)+len(others))
	room := MaxGroupsSize
	for _, g := range slices.Concat(named, others) {
		if room -= len(g) + 3; room < 0 {
			break
		}
		kept = append(kept, g)
	}
	if left = len(c.Groups) - len(kept); left == 0 {
		return 0
	}
	was := c.Groups
	c.Groups, c.GroupsLeft, c.GroupsJudged = kept, left, nil
	for _, g := range k.named {
		if !slices.Contains(was, g) {
			c.GroupsJudged = append(c.GroupsJudged, g)
		}
	}
	return left
}

package policy

import (
	"fmt"
	"slices"
)

// CallerRules makes a policy of the allow and deny lines that stand in a
// provider's own block: they speak of those who come from that provider, so
// each line gets the condition provider NAME. A line that names another
// provider is an error.
func CallerRules(provider string, allow, deny []Rule) (*Policy, error) {
	p := &Policy{Allow: slices.Clone(allow), Deny: slices.Clone(deny)}
	for _, rules := range [][]Rule{p.Allow, p.Deny} {
		for i := range rules {
			r := &rules[i]
			for _, name := range r.Provider {
				if name != provider {
					return nil, fmt.Errorf("a line in the block of provider %s cannot say provider %s", provider, name)
				}
			}
			if len(r.Client) > 0 {
				return nil, fmt.Errorf("a line in the block of provider %s cannot say client %s: it holds for all; say it in a policy", provider, r.Client[0])
			}
			if len(r.Provider) == 0 && !r.hasCondition() {
				return nil, fmt.Errorf("a line in the block of provider %s does not say who is meant; for everybody write anyone", provider)
			}
			r.Provider = []string{provider}
		}
	}
	return p, nil
}

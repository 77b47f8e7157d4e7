package preset

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// OAuth 2.0 without OpenID Connect: the operator names the endpoints, and which member
// of the userinfo answer is which claim.
func init() {
	register(&Preset{
		Name: "oauth2", Title: "", Example: "https://forge.example.com",
		Options: map[string]Option{
			"claim_names": {Kind: Many, Example: "sub=id name=full_name email_verified=confirmed", Required: true},
			"open":        {Kind: Flag},
		},
		Open: func(s Settings) bool { return s.Has("open") },
		Check: func(s Settings) error {
			names, err := claimNames(s.Options["claim_names"])
			if err == nil && names["sub"] == "" {
				err = errors.New("claim_names says nothing of sub, by which people are told apart: claim_names sub=id")
			}
			return err
		},
		Configure: func(c *oidc.Config, s Settings) error {
			c.Plain = true
			var err error
			c.ClaimNames, err = claimNames(s.Options["claim_names"])
			giveRefreshTokens(c, nil)
			return err
		},
	})
}

// claimNames reads CLAIM=MEMBER ….
func claimNames(pairs []string) (map[string]string, error) {
	names := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		claim, member, ok := strings.Cut(pair, "=")
		if !ok || claim == "" || member == "" {
			return nil, fmt.Errorf("claim_names: %q is not CLAIM=MEMBER, such as sub=id", pair)
		}
		if names[claim] != "" {
			return nil, fmt.Errorf("claim_names: %s is there twice", claim)
		}
		names[claim] = member
	}
	return names, nil
}

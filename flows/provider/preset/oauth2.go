package preset

import (
	"errors"
	"fmt"
	"slices"
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
		Open: func(s Settings) bool { return s.Has("open") || isOpenAddress(s.Issuer) },
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

// isOpenAddress reports whether an address is that of a provider at which anybody can
// open an account, by whatever protocol it is spoken to.
func isOpenAddress(address string) bool {
	return slices.ContainsFunc(All(), func(p *Preset) bool { return p.Name != "oauth2" && p.isOpenAt(address) }) ||
		isHost(address, "github.com", "www.github.com", "api.github.com")
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
			return nil, fmt.Errorf("claim_names: %s occurs twice", claim)
		}
		names[claim] = member
	}
	return names, nil
}

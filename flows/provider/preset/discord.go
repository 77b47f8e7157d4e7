package preset

import (
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// Discord: https://discord.com/developers/docs/topics/oauth2,
// https://discord.com/developers/docs/resources/user#get-current-user-guilds
//
// OAuth 2.0 alone: there is no ID token, and who somebody is the API tells. Guilds are
// the groups, by their ids: anybody may call a guild as they like. The answer has all of
// them, which are at most 200.
func init() {
	register(&Preset{
		Name: "discord", Title: "Discord", Issuer: "https://discord.com", FixedIssuer: true, Open: always,
		CheckGroup: func(group string) error {
			if group == "" || strings.Trim(group, "0123456789") != "" {
				return errors.New("a group of Discord is the id of a guild, such as 197038439483310086: enable the developer mode there and copy the server's id")
			}
			return nil
		},
		Configure: func(c *oidc.Config, s Settings) error {
			c.Plain = true
			defaultEndpoints(c, oidc.Endpoints{
				Authorization: s.Issuer + "/oauth2/authorize", Token: s.Issuer + "/api/oauth2/token",
				Revocation: s.Issuer + "/api/oauth2/token/revoke", UserInfo: s.Issuer + "/api/users/@me",
				Groups: s.Issuer + "/api/users/@me/guilds",
			})
			c.ClaimNames = map[string]string{"sub": "id", "name": "global_name", "preferred_username": "username", "email_verified": "verified"}
			c.GroupsScope = "guilds"
			defaultGroups(c, "guilds", oidc.GroupsAsIDs)
			defaultScopes(c, "identify", "email")
			giveRefreshTokens(c, nil)
			return nil
		},
	})
}

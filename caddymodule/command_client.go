package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func clientVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "client",
		Usage: "new <id>",
		Short: "Makes a client of the authorization server",
		CobraFunc: func(cmd *cobra.Command) {
			fresh := &cobra.Command{
				Use:   "new <id> [--redirect-uri <uri>…] [--public] [--device] [--first-party] [--refresh-tokens <when>]",
				Short: "Prints a block for the Caddyfile, and a new secret",
				Long: `
Prints a client block that is ready for the Caddyfile's gatehouse block, and,
unless the client is public, a new secret. The secret is shown once and kept
nowhere: put it where the block's placeholder points, and into the application.`,
				Args: oneID,
			}
			fresh.Flags().StringArray("redirect-uri", nil, "Where browsers may be sent back to")
			fresh.Flags().Bool("public", false, "The client can keep no secret")
			fresh.Flags().Bool("device", false, "The client uses the device flow")
			fresh.Flags().Bool("first-party", false, "People are not asked for consent")
			fresh.Flags().String("refresh-tokens", "", "session: they end with the sign-in; offline: with the scope offline_access; always: without asking")
			runs(fresh, cmdClientNew)
			group(cmd, fresh)
		},
	}
}

func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("give the client one id, for example: client new grafana --redirect-uri https://grafana.example.com/login/generic_oauth")
	}
	return nil
}

func cmdClientNew(cmd *cobra.Command, fl caddycmd.Flags) error {
	uris, err := fl.GetStringArray("redirect-uri")
	if err != nil {
		return err
	}
	c := &client.Client{ID: fl.Arg(0), Public: fl.Bool("public"), FirstParty: fl.Bool("first-party"), RedirectURIs: uris}
	if fl.Bool("device") {
		c.Grants = []string{client.GrantDevice, client.GrantRefresh}
		c.Scopes = []string{"openid", "profile", "offline_access"}
	}
	withRefreshTokens(c, client.RefreshTokens(fl.String("refresh-tokens")))
	if len(uris) > 0 && c.Grants != nil {
		c.Grants = append(c.Grants, client.GrantCode)
	}
	secret := ""
	if !c.Public {
		secret = newSecret()
		c.Secrets = []client.Secret{client.NewSecret(secret)}
	}
	if c.Grants == nil && len(uris) == 0 {
		return errors.New("say where browsers are sent back to: --redirect-uri https://…, or --device for a client without a browser")
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return printClient(cmd.OutOrStdout(), c, secret)
}

// withRefreshTokens gives a client the scopes that go with its refresh tokens.
func withRefreshTokens(c *client.Client, tokens client.RefreshTokens) {
	c.RefreshTokens = tokens
	switch {
	case tokens == client.RefreshSession:
		c.Scopes = client.WithoutOffline(c.Scopes)
	case tokens == client.RefreshOffline && c.Scopes == nil:
		c.Scopes = []string{"openid", "profile", "email", client.OfflineAccess}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = nil // the default
	}
}

// newSecret has 256 bits.
func newSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

func printClient(w io.Writer, c *client.Client, secret string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "client %s {\n", c.ID)
	variable := secretVariable(c.ID)
	if c.Public {
		b.WriteString("\tpublic\n")
	} else {
		fmt.Fprintf(&b, "\tsecret {env.%s}\n", variable)
	}
	for _, uri := range c.RedirectURIs {
		fmt.Fprintf(&b, "\tredirect_uri %s\n", uri)
	}
	if c.Allows(client.GrantDevice) {
		b.WriteString("\tgrants device_code refresh_token")
		if c.Allows(client.GrantCode) {
			b.WriteString(" authorization_code")
		}
		b.WriteString("\n")
	}
	offline := slices.Contains(c.Scopes, client.OfflineAccess)
	if c.Allows(client.GrantDevice) || offline {
		fmt.Fprintf(&b, "\tscopes %s\n", strings.Join(c.Scopes, " "))
	}
	if c.RefreshTokens != client.RefreshOffline {
		fmt.Fprintf(&b, "\trefresh_tokens %s\n", c.RefreshTokens)
	}
	if c.FirstParty {
		b.WriteString("\tfirst_party\n")
	}
	b.WriteString("}\n")
	if c.Allows(client.GrantDevice) && !c.FirstParty {
		b.WriteString("\nAdd first_party if it is your own and is to use any guarded site, or: resources https://SITE …\n")
	}
	if secret != "" {
		fmt.Fprintf(&b, "\nThe secret, shown this once; set it for the gateway and in the application:\n%s=%s\n", variable, secret)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// secretVariable is the name of the environment variable for a client's secret.
func secretVariable(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, id)
	if id != "" && '0' <= id[0] && id[0] <= '9' {
		name = "CLIENT_" + name // no shell takes a name that begins with a digit
	}
	return name + "_SECRET"
}

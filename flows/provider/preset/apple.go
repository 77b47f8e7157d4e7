package preset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// secretLifetime of Apple's client secret, which may live for six months. It is made
// anew for each request.
const secretLifetime = 5 * time.Minute

// Apple: https://developer.apple.com/documentation/signinwithapplerestapi
//
// The client secret is a JWT that the key of the developer account signs. Where the
// name or the address is asked for, the answer is posted, and has the name at the first
// sign-in alone. There is no userinfo endpoint, and no scope profile or offline_access.
func init() {
	register(&Preset{
		Name: "apple", Title: "Apple", Issuer: "https://appleid.apple.com", FixedIssuer: true, Open: always,
		Options: map[string]Option{
			"team_id":  {Example: "A1B2C3D4E5", Required: true},
			"key_id":   {Example: "ABC123DEFG", Required: true},
			"key_file": {Example: "/run/keys/AuthKey_ABC123DEFG.p8", Required: true},
		},
		Check: checkAppleKey,
		Configure: func(c *oidc.Config, s Settings) error {
			if c.ClientSecret != "" {
				return errors.New("client_secret: Apple's is made of team_id, key_id and key_file; remove it")
			}
			defaultScopes(c, "openid", "name", "email")
			giveRefreshTokens(c, nil)
			c.FormPost, c.ClientAuth, c.UserParameter = true, "client_secret_post", true
			c.ClientCure = "check client_id, which is the Services ID, and that team_id, key_id and key_file belong together"
			var err error
			c.MakeSecret, err = appleSecret(c.ClientID, s)
			return err
		},
	})
}

// checkAppleKey refuses a key file that is none. Where it is not here yet, that is judged
// when the configuration is loaded.
func checkAppleKey(s Settings) error {
	_, err := readAppleKey(s)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func readAppleKey(s Settings) (*oidc.ClientKey, error) {
	raw, err := os.ReadFile(s.Get("key_file"))
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	key, err := oidc.ParseClientKey(raw, s.Get("key_id"))
	if err != nil {
		return nil, fmt.Errorf("key_file %s: %w", s.Get("key_file"), err)
	}
	if key.Algorithm() != "ES256" {
		return nil, fmt.Errorf("key_file %s: Apple's keys use P-256, and this one does not", s.Get("key_file"))
	}
	return key, nil
}

// appleSecret makes client secrets:
// https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
func appleSecret(clientID string, s Settings) (func(time.Time) (string, error), error) {
	key, err := readAppleKey(s)
	if err != nil {
		return nil, err
	}
	return func(now time.Time) (string, error) {
		return key.Sign(jwt.Claims{
			Issuer: s.Get("team_id"), Subject: clientID, Audience: jwt.Audience{"https://appleid.apple.com"},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(secretLifetime)),
		})
	}, nil
}

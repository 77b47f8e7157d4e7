package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// checkSigningKeys makes sure that a file of signing keys holds one for each
// client: else all that the client asks for would fail, for as long as the file is
// as it is. A file that cannot be opened is left to the running server: validating
// a configuration must work where its secrets are not.
func (a *App) checkSigningKeys() error {
	if a.SigningKeys == "" {
		return nil
	}
	held, err := token.FileAlgorithms(a.SigningKeys)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil:
		return err
	}
	var mistakes []error
	for _, id := range slices.Sorted(maps.Keys(a.clients)) {
		mistakes = append(mistakes, a.clientWithoutKey(a.clients[id], held)...)
	}
	return together(mistakes...)
}

// clientWithoutKey names what cannot be signed for a client by keys of the held
// algorithms.
func (a *App) clientWithoutKey(c *client.Client, held []string) (mistakes []error) {
	for _, alg := range c.Needed() {
		if slices.Contains(held, alg) {
			continue
		}
		tokens, option := "ID tokens", "id_token_signing_alg"
		if alg == c.AccessTokenAlgorithm {
			tokens, option = "access tokens", "access_token_signing_alg"
		}
		cure := fmt.Sprintf("add such a key to the file, or write %s %s in the client's block", option, held[0])
		if c.ID == gateClient {
			cure = "add such a key to the file, or write gate_client off"
		}
		mistakes = append(mistakes, fmt.Errorf("client %q: its %s are to be signed by %s, of which the signing keys in %s hold no private key, only of %s: %s",
			c.ID, tokens, alg, a.SigningKeys, strings.Join(held, ", "), cure))
	}
	return mistakes
}

// signingKeys parses `signing_keys <file>`.
func (p *globalParser) signingKeys(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &p.app.SigningKeys); err != nil {
		return err
	}
	// What is wrong with the file is told when the configuration is loaded.
	p.app.SigningKeysDigest, _ = token.FileDigest(p.app.SigningKeys)
	return nil
}

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

// checkSigningKeys makes sure that a file of signing keys can be read, and holds a key
// for each client: else all that the client asks for would fail, for as long as the
// file is as it is. As with other secrets ({file.…}), a configuration is valid only
// where its files are: a reload must not take a server down that has its keys.
func (a *App) checkSigningKeys() error {
	if a.SigningKeys == "" {
		return nil
	}
	held, err := token.FileAlgorithms(a.SigningKeys)
	if err != nil {
		return withoutSigningKeys(err)
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
	digest, err := token.FileDigest(p.app.SigningKeys)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return d.WrapErr(withoutSigningKeys(err))
	}
	p.app.SigningKeysDigest = digest // of a file that is elsewhere, the server will tell
	return nil
}

// withoutSigningKeys says what to do about a file that cannot be used.
func withoutSigningKeys(err error) error {
	cure := "write a JWKS (RFC 7517) with private keys"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = "write a JWKS with private keys there, or leave signing_keys out: the keys are then made and kept in the token store"
	case errors.Is(err, fs.ErrPermission):
		cure = "let the user that the server runs as read it, and run commands as that user"
	}
	return fmt.Errorf("signing_keys: %w; %s", err, cure)
}

package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
		if alg := a.clients[id].IDTokenAlgorithm; !slices.Contains(held, alg) {
			mistakes = append(mistakes, fmt.Errorf("client %q: its ID tokens are to be signed by %s, of which the signing keys in %s hold no private key, only of %s",
				id, alg, a.SigningKeys, strings.Join(held, ", ")))
		}
	}
	return together(mistakes...)
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

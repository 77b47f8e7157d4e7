package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

func keysVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "keys",
		Usage: "rotate",
		Short: "Rotates the signing keys",
		CobraFunc: func(cmd *cobra.Command) {
			rotate := &cobra.Command{
				Use:   "rotate",
				Short: "Publishes new signing keys, which sign in an hour",
				Long: `
Publishes new signing keys now. They sign after an hour, when everybody who
verifies tokens has seen them; the old ones are published until nothing that
they signed is alive. Keys rotate by themselves every 30 days.

Keys that were sealed by a secret that is not configured any more cannot sign,
and are not replaced on their own: another server may have that secret. If it is
lost for good, --lost-secret makes new keys that sign at once.`,
			}
			addressFlags(rotate)
			rotate.Flags().BoolP("lost-secret", "", false, "Replace the keys that no configured secret opens, at once: their secret is lost for good")
			runs(rotate, cmdKeysRotate)
			group(cmd, rotate)
		},
	}
}

func cmdKeysRotate(cmd *cobra.Command, fl caddycmd.Flags) error {
	uri, done := "/gatehouse/rotate-keys", "New signing keys are published; they sign in an hour."
	if fl.Bool("lost-secret") {
		uri, done = uri+"?lost_secret=true", "The server can open all its signing keys; those that it could not open are replaced."
	}
	if _, err := askServer(fl, http.MethodPost, uri); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), done)
	return err
}

// adminRotateKeys begins a rotation of the signing keys.
func (a *App) adminRotateKeys(w http.ResponseWriter, r *http.Request) error {
	if a.SigningKeys != "" {
		return badRequest(fmt.Errorf("the signing keys are those of the file %s: add one at its end, move it to the front after an hour, and remove the old one a day later", a.SigningKeys))
	}
	rotate, done := a.shared.tokens.RotateNow, "signing keys are being rotated on command"
	if r.URL.Query().Get("lost_secret") == "true" {
		rotate, done = a.shared.tokens.ReplaceSealed, "signing keys that could not be opened were replaced on command"
	}
	err := rotate(r.Context())
	switch {
	case errors.Is(err, token.ErrSealed):
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
	case err != nil:
		return a.adminError("rotating signing keys", err)
	}
	a.logger.Info(done)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

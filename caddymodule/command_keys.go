package caddymodule

import (
	"fmt"
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
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
they signed is alive. Keys rotate by themselves every 30 days.`,
			}
			addressFlags(rotate)
			runs(rotate, cmdKeysRotate)
			group(cmd, rotate)
		},
	}
}

func cmdKeysRotate(cmd *cobra.Command, fl caddycmd.Flags) error {
	if _, err := askServer(fl, http.MethodPost, "/gatehouse/rotate-keys"); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "New signing keys are published; they sign in an hour.")
	return err
}

// adminRotateKeys begins a rotation of the signing keys.
func (a *App) adminRotateKeys(w http.ResponseWriter, r *http.Request) error {
	if a.SigningKeys != "" {
		return badRequest(fmt.Errorf("the signing keys are those of the file %s: add one at its end, move it to the front after an hour, and remove the old one a day later", a.SigningKeys))
	}
	if err := a.shared.tokens.RotateNow(r.Context()); err != nil {
		return a.adminError("rotating signing keys", err)
	}
	a.logger.Info("signing keys are being rotated on command")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

// advise has each command say what to change in the configuration where Caddy
// only says what is wrong with it.
func advise(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.RunE == nil {
			continue
		}
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			if err != nil {
				config, _ := cmd.Flags().GetString("config")
				if advice := adviceOn(err.Error(), config); advice != "" {
					fmt.Fprintln(cmd.ErrOrStderr(), "\n"+advice) //nolint:errcheck // nobody is left to tell
				}
			}
			return err
		}
	}
}

// adviceOn is "" when nothing better is known than what the failure says.
func adviceOn(failure, config string) string {
	if advice := caddymodule.Advice(failure); advice != "" {
		return advice
	}
	text, _ := os.ReadFile(config) //nolint:gosec // the operator named it
	return portAdvice(failure, config, string(text))
}

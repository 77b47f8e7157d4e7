package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func migrateVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "migrate",
		Usage: "--config <path> [--adapter <name>]",
		Short: "Brings the token store's schema up to date",
		Long: `
Brings the schema of a configuration's token store up to date, as the server
does when it starts, one node at a time.`,
		CobraFunc: func(cmd *cobra.Command) {
			configFlags(cmd)
			runs(cmd, cmdMigrate)
		},
	}
}

func cmdMigrate(cmd *cobra.Command, fl caddycmd.Flags) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	app, err := loadConfigured(fl)
	if err != nil {
		return err
	}
	store, err := app.tokenStore.OpenTokenStore(ctx, app.logger)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	report, err := store.Maintain(ctx, app.lifetime())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The token store is up to date; months of sessions ready ahead: %d.\n", report.MonthsAhead)
	return err
}

// loadConfigured provisions a configuration without starting it.
func loadConfigured(fl caddycmd.Flags) (*App, error) {
	raw, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, errors.New("no configuration: give one by --config")
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(caddy.RemoveMetaFields(raw), config); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		return nil, err
	}
	return configured(ctx)
}

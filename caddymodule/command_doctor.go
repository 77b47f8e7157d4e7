package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"
)

// errDegraded makes the doctor's exit status say that something is wrong.
var errDegraded = errors.New("something is wrong, see above")

func doctorVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "doctor",
		Usage: "[--config <path> [--adapter <name>]] [--address <listen>]",
		Short: "Says what is wrong, and what to register at the providers",
		Long: `
Asks the running server for its health. With --config, it checks that
configuration instead, and whether its stores can be reached. It asks each
provider whether it works with the configuration, and prints the addresses that
have to be registered there. The exit status is
1 when something is wrong.`,
		CobraFunc: func(cmd *cobra.Command) {
			addressFlags(cmd)
			runs(cmd, cmdDoctor)
		},
	}
}

func cmdDoctor(cmd *cobra.Command, fl caddycmd.Flags) error {
	health, err := examine(fl)
	if err != nil {
		return err
	}
	if len(health.Faults) > 0 {
		health.Status = "degraded"
	}
	if err := printHealth(cmd.OutOrStdout(), health); err != nil {
		return err
	}
	if health.Status != "ok" {
		return errDegraded
	}
	return nil
}

func examine(fl caddycmd.Flags) (Health, error) {
	if fl.String("config") != "" {
		return examineConfig(fl)
	}
	// A degraded server answers 503, which Caddy's client makes an error of.
	body, err := askServer(fl, http.MethodGet, "/gatehouse/health?status=200&providers=true")
	if err != nil {
		return Health{}, err
	}
	var health Health
	if err := json.Unmarshal(body, &health); err != nil {
		return Health{}, fmt.Errorf("reading the server's answer: %w", err)
	}
	return health, nil
}

// examineConfig checks a configuration that need not be running.
func examineConfig(fl caddycmd.Flags) (Health, error) {
	app, err := loadConfigured(fl)
	if err != nil {
		return Health{}, err
	}
	if app.sites, err = app.placeGuards(); err != nil {
		return Health{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	health := app.describe()
	app.setNeeds()
	logging.Disable() // go-redis, in this process: what it says of a dial that fails is said below
	health.TokenStore, health.Cache = app.pingStore(ctx), app.pingCache(ctx)
	if health.TokenStore != up || health.Cache != up {
		health.Status = "degraded"
	}
	app.checkProviders(context.Background(), &health)
	return health, nil
}

func (a *App) pingStore(ctx context.Context) string {
	if file, ok := a.tokenStore.(*SQLite); !a.tokenStore.Shared() && (!ok || !file.isMade()) {
		return up // the first start makes it, as the user that the server runs as
	}
	store, err := a.tokenStore.OpenTokenStore(ctx, a.logger)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = store.Close() }()
	return state(store.Ping(ctx))
}

func (a *App) pingCache(ctx context.Context) string {
	cache, err := a.cache.OpenCache(ctx, a.logger)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = cache.Close() }()
	return state(cache.Ping(ctx))
}

func printHealth(w io.Writer, h Health) error {
	lines := []string{"status       " + h.Status, "token store  " + h.TokenStore, "cache        " + h.Cache}
	if h.SigningKeys != "" {
		lines = append(lines, "signing keys "+h.SigningKeys)
	}
	if h.MonthsAhead >= 0 {
		lines = append(lines, fmt.Sprintf("months ahead %d", h.MonthsAhead))
	}
	if h.Issuer != "" {
		lines = append(lines, "issuer       "+h.Issuer)
	}
	if h.PortalElsewhere {
		lines = append(lines, "             no site here has gatehouse_portal under that name: another gateway must serve the issuer")
	}
	for _, f := range h.Faults {
		lines = append(lines, "fault        "+f)
	}
	for _, w := range h.Warnings {
		lines = append(lines, "warning      "+w)
	}
	for _, s := range h.Sites {
		lines = append(lines, "site         "+s)
	}
	for _, p := range h.Providers {
		lines = append(lines, "provider     "+p.Name+" ("+p.Issuer+")"+describeState(p.State))
		for _, warning := range p.Warnings {
			lines = append(lines, "             warning: "+warning)
		}
		for _, uri := range p.RedirectURIs {
			lines = append(lines, "             register the redirect URI "+uri)
		}
		for _, uri := range p.PostLogoutRedirectURIs {
			lines = append(lines, "             register the post-logout redirect URI "+uri)
		}
		for _, uri := range p.BackchannelLogoutURIs {
			lines = append(lines, "             back-channel logout URI (optional): "+uri)
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func describeState(state string) string {
	if state == "" {
		return ""
	}
	return ": " + state
}

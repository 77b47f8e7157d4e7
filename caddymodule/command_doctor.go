package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// errDegraded makes the doctor's exit status say that something is wrong.
var errDegraded = errors.New("something is wrong, see above")

func cmdDoctor(fl caddycmd.Flags) (int, error) {
	health, err := examine(fl)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if err := printHealth(os.Stdout, health); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if health.Status != "ok" {
		return caddy.ExitCodeFailedStartup, errDegraded
	}
	return caddy.ExitCodeSuccess, nil
}

func examine(fl caddycmd.Flags) (Health, error) {
	if fl.String("config") != "" {
		return examineConfig(fl)
	}
	address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, "", "")
	if err != nil {
		return Health{}, err
	}
	// A degraded server answers 503, which AdminAPIRequest makes an error of.
	var health Health
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodGet, "/gatehouse/health?status=200", nil, nil)
	if err != nil {
		return Health{}, fmt.Errorf("asking the server (give --config to check a configuration instead): %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	err = json.NewDecoder(resp.Body).Decode(&health)
	return health, err
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
	health.TokenStore, health.Cache = app.pingStore(ctx), app.pingCache(ctx)
	if health.TokenStore != up || health.Cache != up {
		health.Status = "degraded"
	}
	return health, nil
}

func (a *App) pingStore(ctx context.Context) string {
	if !a.tokenStore.Shared() {
		return up // made by the first start
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
	if h.MonthsAhead >= 0 {
		lines = append(lines, fmt.Sprintf("months ahead %d", h.MonthsAhead))
	}
	if h.Issuer != "" {
		lines = append(lines, "issuer       "+h.Issuer)
	}
	for _, s := range h.Sites {
		lines = append(lines, "site         "+s)
	}
	for _, p := range h.Providers {
		lines = append(lines, "provider     "+p.Name+" ("+p.Issuer+")")
		for _, uri := range p.RedirectURIs {
			lines = append(lines, "             register the redirect URI "+uri)
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

package caddymodule

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// checkTimeout is how long the providers may take to be asked, all at once.
const checkTimeout = 15 * time.Second

// checkProviders asks each provider whether it works with this configuration, and notes
// what it says.
func (a *App) checkProviders(ctx context.Context, h *Health) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var asked sync.WaitGroup
	for i, p := range a.providers {
		checker, ok := p.(provider.Checker)
		if !ok {
			continue
		}
		info := &h.Providers[i]
		asked.Go(func() {
			var err error
			info.State = "ok"
			if info.Warnings, err = checker.Check(ctx, info.RedirectURIs); err != nil {
				info.State = err.Error()
			}
		})
	}
	asked.Wait()
	for _, info := range h.Providers {
		if info.State != "" && info.State != "ok" {
			h.Status = "degraded"
		}
	}
}

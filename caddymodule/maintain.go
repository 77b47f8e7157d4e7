package caddymodule

import (
	"context"
	"time"
)

const (
	// How long to wait before the token store is tried again, at first and at
	// most.
	retryFirst = 250 * time.Millisecond
	retryMost  = 5 * time.Second
	// How often the token store is maintained.
	maintenanceInterval = 5 * time.Minute
	// How often it is asked whether it is there.
	pingInterval = 30 * time.Second
	// How long one round of migration or maintenance may take.
	maintenanceTimeout = 5 * time.Minute
)

// maintain migrates the token store, again and again until it is there, and then
// maintains it now and then.
func (s *shared) maintain(ctx context.Context) {
	if !s.migrate(ctx) {
		return
	}
	s.round(ctx)
	// Before the first request: who signs in at once wants tokens.
	if err := s.tokens.Refresh(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("loading signing keys failed; trying again", "error", err)
	}
	close(s.migrated)
	s.done.Go(func() { s.tokens.Run(ctx) })
	ticker := time.NewTicker(maintenanceInterval)
	defer ticker.Stop()
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		// A month that could not be made is tried again soon.
		wait := ticker.C
		if s.ahead.Load() < 1 {
			wait = time.After(retryMost)
		}
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			s.ping(ctx)
		case <-wait:
			s.round(ctx)
		}
	}
}

func (s *shared) migrate(ctx context.Context) bool {
	for wait, told := retryFirst, false; ; wait = min(2*wait, retryMost) {
		attempt, cancel := context.WithTimeout(ctx, maintenanceTimeout)
		err := s.store.Migrate(attempt)
		cancel()
		switch {
		case err == nil:
			s.ready.Store(true)
			storeUp.Set(1)
			if told {
				s.log.Info("the token store is ready")
			}
			return true
		case ctx.Err() != nil:
			return false
		case !told:
			told = true
			storeUp.Set(0)
			s.log.Error("token store is not ready; trying again", "error", err)
		default:
			s.log.Debug("token store is not ready yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// ping keeps the metric true between rounds.
func (s *shared) ping(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		storeUp.Set(0)
		return
	}
	storeUp.Set(1)
}

func (s *shared) round(ctx context.Context) {
	attempt, cancel := context.WithTimeout(ctx, maintenanceTimeout)
	defer cancel()
	report, err := s.store.Maintain(attempt, time.Duration(s.lifetime.Load()))
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		storeUp.Set(0)
		s.log.Error("maintaining token store", "error", err)
		return
	}
	storeUp.Set(1)
	if report.Skipped {
		return
	}
	s.ahead.Store(int64(report.MonthsAhead))
	monthsAhead.Set(float64(report.MonthsAhead))
	if report.MonthsAhead < 1 {
		s.log.Error("no month of sessions is ready beyond the current one", "months_ahead", report.MonthsAhead)
	}
	if len(report.Created)+len(report.Dropped)+report.Purged > 0 {
		s.log.Info("maintained token store", "created", report.Created, "dropped", report.Dropped, "purged", report.Purged)
	}
}

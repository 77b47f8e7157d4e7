package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// heartbeat is how often a subscription asks its server for a sign of life. A
// server that is silent for two of them is given up.
const heartbeat = 2 * time.Second

// How long to wait between attempts to subscribe.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
)

// subscription is one caller's, through any number of connections.
type subscription struct {
	store   *Store
	receive func(cache.Announcement)
	gap     func()
	last    uint64 // number of the last announcement, 0 when none has come yet
}

// Subscribe implements [cache.Announcements].
func (s *Store) Subscribe(ctx context.Context, receive func(cache.Announcement), gap func()) error {
	if !s.begin() {
		return fmt.Errorf("%w: it is closed", cache.ErrUnavailable)
	}
	sub := &subscription{store: s, receive: receive, gap: gap}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ending, cancel)
	release := func() {
		stop()
		cancel()
		s.running.Done()
	}

	connection, err := sub.connect(ctx)
	if err != nil {
		release()
		return err
	}
	go func() {
		defer release()
		sub.run(ctx, connection)
	}()
	return nil
}

// run follows one connection after the other until ctx ends.
func (sub *subscription) run(ctx context.Context, connection *goredis.PubSub) {
	for {
		sub.follow(ctx, connection)
		if ctx.Err() != nil {
			return
		}
		sub.gap()
		var err error
		if connection, err = sub.connect(ctx); err != nil {
			return
		}
		sub.last = 0
		sub.gap()
	}
}

// connect tries until a subscription stands. Its error is that ctx has ended.
func (sub *subscription) connect(ctx context.Context) (*goredis.PubSub, error) {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		connection, err := sub.attempt(ctx)
		if err == nil {
			return connection, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w: %w", cache.ErrUnavailable, ctx.Err(), err)
		case <-time.After(backoff):
		}
	}
}

// attempt returns when the server has confirmed the subscription.
func (sub *subscription) attempt(ctx context.Context) (*goredis.PubSub, error) {
	attempt, cancel := context.WithTimeout(ctx, dialTimeout+ioTimeout)
	defer cancel()
	connection := sub.store.client.Subscribe(attempt)
	err := connection.Subscribe(attempt, sub.store.channel())
	if err == nil {
		_, err = connection.Receive(attempt)
	}
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}

// follow hands announcements on until the connection is lost or ctx ends.
func (sub *subscription) follow(ctx context.Context, connection *goredis.PubSub) {
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	var heard atomic.Bool
	defer sub.watch(connection, &heard)()
	for {
		message, err := connection.Receive(context.Background())
		if ctx.Err() != nil || err != nil {
			return
		}
		heard.Store(true)
		switch message := message.(type) {
		case *goredis.Message:
			sub.deliver(message.Payload)
		case *goredis.Subscription:
			return // the client reconnected by itself: announcements may have been missed
		}
	}
}

// deliver hands an announcement on, after a gap if one before it is missing or
// it is not understood.
func (sub *subscription) deliver(payload string) {
	number, announcement, err := parsePayload(payload)
	if err != nil {
		sub.last = 0
		sub.gap()
		return
	}
	if sub.last != 0 && number != sub.last+1 {
		sub.gap()
	}
	sub.last = number
	sub.receive(announcement)
}

// watch closes a connection on which nothing was heard for two heartbeats, so
// that a server which hangs is noticed. Call what it returns to end it.
func (sub *subscription) watch(connection *goredis.PubSub, heard *atomic.Bool) (end func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(sub.store.heartbeat)
		defer ticks.Stop()
		heard.Store(true)
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
			}
			if !heard.Swap(false) {
				_ = connection.Close()
				return
			}
			ping, cancel := context.WithTimeout(context.Background(), sub.store.heartbeat)
			_ = connection.Ping(ping)
			cancel()
		}
	}()
	return func() { close(done); <-ended }
}

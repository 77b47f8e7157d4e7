// Command oauthload measures an authorization server through HTTP: sign-ins by
// an OpenID provider of its own that approves everybody, refresh grants,
// introspection and userinfo. It knows no server in particular, so that two can
// be measured in the same way.
//
//	oauthload -issuer http://127.0.0.1:9000 -client web -secret S -redirect http://127.0.0.1:1/cb -workers 8 -seconds 10 refresh
//
// The measure "provider" only serves the provider, for a server that wants to
// see it when it starts, and for several runs.
//
// It sends to loopback addresses only, and ends by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

type options struct {
	issuer, client, secret, redirect, scope string
	provider                                string
	workers, people                         int
	numbered                                bool
	length                                  time.Duration
}

func main() {
	var o options
	var seconds int
	flag.StringVar(&o.issuer, "issuer", "", "the issuer to measure, on this machine")
	flag.StringVar(&o.client, "client", "web", "client id")
	flag.StringVar(&o.secret, "secret", "", "client secret")
	flag.StringVar(&o.redirect, "redirect", "http://127.0.0.1:1/cb", "redirect URI")
	flag.StringVar(&o.scope, "scope", "openid profile email offline_access", "scope")
	flag.StringVar(&o.provider, "provider", "127.0.0.1:9999", "where the approving OpenID provider listens")
	flag.IntVar(&o.workers, "workers", 8, "how many clients at once")
	flag.IntVar(&o.people, "people", 4096, "how many people sign in, one after the other; some servers keep one refresh token for a person and client")
	flag.BoolVar(&o.numbered, "numbered", false, "let each client at once be another of the server's: web-1, web-2, …")
	flag.IntVar(&seconds, "seconds", 10, "how long, at most 600")
	flag.Parse()
	o.length = time.Duration(min(seconds, 600)) * time.Second
	if err := run(o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "oauthload:", err)
		os.Exit(1)
	}
}

func run(o options, measures []string) error {
	if err := loopback(o.issuer); err != nil {
		return err
	}
	stop, err := serveProvider(o.provider, max(1, o.people))
	switch {
	case err == nil:
		defer stop()
	case errors.Is(err, syscall.EADDRINUSE): // another oauthload serves it
	default:
		return err
	}
	for _, name := range measures {
		if name == "provider" {
			time.Sleep(o.length)
			continue
		}
		work, ok := map[string]func(*session, context.Context) error{
			"signin": (*session).signInAgain, "refresh": (*session).refresh,
			"introspect": (*session).introspect, "userinfo": (*session).userinfo,
		}[name]
		if !ok {
			return fmt.Errorf("there is no measure %q: signin, refresh, introspect or userinfo", name)
		}
		if err := measure(o, name, work); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// loopback refuses to send load anywhere else.
func loopback(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("the issuer must be on this machine")
}

// measure lets the workers work, each with a sign-in of its own.
func measure(o options, name string, work func(*session, context.Context) error) error {
	sessions := make([]*session, o.workers)
	for i := range sessions {
		mine := o
		if o.numbered {
			mine.client = fmt.Sprintf("%s-%d", o.client, i+1)
		}
		s, err := newSession(context.Background(), mine)
		if err == nil {
			err = s.signInAgain(context.Background())
		}
		if err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
		sessions[i] = s
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.length)
	defer cancel()
	var mu sync.Mutex
	var took []time.Duration
	faults := map[string]int{}
	var all sync.WaitGroup
	begun := time.Now()
	for _, s := range sessions {
		all.Go(func() {
			var mine []time.Duration
			failed := map[string]int{}
			for ctx.Err() == nil {
				start := time.Now()
				if err := work(s, ctx); err != nil {
					if ctx.Err() == nil {
						failed[err.Error()]++
					}
					continue
				}
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			for text, n := range failed {
				faults[text] += n
			}
		})
	}
	all.Wait()
	report(name, took, faults, time.Since(begun))
	return nil
}

func report(name string, took []time.Duration, faults map[string]int, length time.Duration) {
	slices.Sort(took)
	at := func(q float64) time.Duration {
		if len(took) == 0 {
			return 0
		}
		return took[min(len(took)-1, int(q*float64(len(took))))].Round(10 * time.Microsecond)
	}
	failed := 0
	for _, n := range faults {
		failed += n
	}
	fmt.Printf("%-11s %8.0f/s  p50 %8s  p99 %8s  failed %d\n", name, float64(len(took))/length.Seconds(), at(0.5), at(0.99), failed)
	for text, n := range faults {
		fmt.Printf("            %dx %.120s\n", n, text)
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"
	"time"
)

const (
	defaultClient = "gate"
	defaultScope  = "openid profile email offline_access"
)

// loginOptions of the command line.
type loginOptions struct {
	client, scope string
	providers     []string // whose tokens are wanted
	browser, noQR bool
	address       string
}

func parseLogin(args []string) (loginOptions, error) {
	var o loginOptions
	fs := flag.NewFlagSet("login", flag.ContinueOnError)
	fs.StringVar(&o.client, "client", defaultClient, "")
	fs.StringVar(&o.scope, "scope", defaultScope, "")
	fs.Func("provider", "", func(name string) error {
		o.providers = append(o.providers, name)
		return nil
	})
	fs.BoolVar(&o.browser, "browser", false, "")
	fs.BoolVar(&o.noQR, "no-qr", false, "")
	rest, err := parse(fs, args, 1)
	if err != nil {
		return o, err
	}
	if o.address = only(rest); o.address == "" {
		return o, usage("login", "name the site, for example https://app.example.com")
	}
	if o.client == "" {
		return o, usage("login", "--client must not be empty")
	}
	return o, nil
}

// login signs a person in by the device flow.
func (g *gate) login(ctx context.Context, args []string) error {
	o, err := parseLogin(args)
	if err != nil {
		return err
	}
	if g.store.folder == "" {
		return errNoFolder()
	}
	address, err := parseSite(o.address)
	if err != nil {
		return err
	}
	found, err := g.discover(ctx, address)
	if err != nil {
		return err
	}
	s, err := g.server(ctx, found.issuer)
	if err != nil {
		return err
	}
	d, err := g.beginLogin(ctx, o, s, found.site)
	if err != nil {
		return err
	}
	g.showCode(ctx, o, d)
	w := &waiting{w: g.stderr, env: g.env, ends: d.ends}
	begun := g.env.now()
	t, err := g.poll(ctx, d, func(ctx context.Context, pause time.Duration) error {
		begun = g.env.now().Add(pause)
		return w.wait(ctx, pause)
	})
	w.end()
	if err != nil {
		return err
	}
	l := &login{Issuer: s.Issuer, Client: o.client, RefreshToken: t.Refresh, Scope: t.Scope, User: userOf(t.ID, s.Issuer)}
	kept := ""
	if len(d.resources) > 0 {
		kept = found.site
	}
	l.keep(kept, t, begun)
	l.remember(found.site)
	if err := g.replace(context.WithoutCancel(ctx), s, l); err != nil {
		return err
	}
	return g.greet(ctx, chosen{l, found.site})
}

// beginLogin starts the flow. No resource is named, since that would pin the
// login to one site, unless it cannot be narrowed later for want of a refresh
// token.
func (g *gate) beginLogin(ctx context.Context, o loginOptions, s server, site string) (*deviceFlow, error) {
	scopes := supported(strings.Fields(o.scope), s.Scopes)
	for _, name := range o.providers {
		scope := providerScope + name
		if len(s.Scopes) > 0 && !slices.Contains(s.Scopes, scope) {
			return nil, noProviderTokens(s.Issuer, o.client, name)
		}
		scopes = append(scopes, scope)
	}
	var resources []string
	if site != "" && !slices.Contains(scopes, "offline_access") {
		resources = []string{site, s.Issuer} // who it is, is asked of the issuer
	}
	return g.startDevice(ctx, s, o.client, scopes, resources)
}

// showCode tells the person what to do. The drawing comes first: where the
// screen has 24 rows, the code, which is to be compared, and the address are
// what must not roll out of sight.
func (g *gate) showCode(ctx context.Context, o loginOptions, d *deviceFlow) {
	g.tell("Sign in at %s.", printable(d.server.Issuer))
	complete := d.URIComplete
	if complete == "" {
		complete = d.URI
	}
	var code []string
	if g.env.draws() && !o.noQR {
		code = qrLines(complete, g.env.columns)
	}
	if len(code) > 0 {
		g.tell("\n  Scan this with your phone, and compare the code:\n\n%s", strings.Join(code, "\n"))
	}
	g.tell("  Open      %s\n  and type  %s", printable(d.URI), printable(d.UserCode))
	const others = 9 // rows: the two above, the letters between empty ones, the waiting line
	if roomy := g.env.rows == 0 || g.env.rows >= len(code)+others; roomy {
		g.tell("")
		if g.env.draws() {
			drawLetters(g.stderr, strings.ToUpper(d.UserCode), g.env.columns)
		}
		g.tell("")
	}
	if !o.browser {
		return
	}
	if err := g.env.open(ctx, complete); err != nil {
		g.tell("No browser could be opened here (%s); use the address above.", printable(err.Error()))
	}
}

// replace stores a login. One that it takes the place of is revoked, so that
// none stays behind that nobody can end from here.
func (g *gate) replace(ctx context.Context, s server, l *login) error {
	g.forget(ctx, l)
	unlock, err := g.store.lock(ctx, l.Issuer)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := g.store.load(l.Issuer)
	if err == nil && old.Client == l.Client {
		for _, site := range old.Sites {
			l.remember(site)
		}
	}
	if err := g.store.save(l); err != nil {
		return err
	}
	if old != nil && old.RefreshToken != "" && old.RefreshToken != l.RefreshToken {
		_ = g.revoke(ctx, s, old)
	}
	return nil
}

// forget takes the site of a new login out of others': it has changed its
// issuer.
func (g *gate) forget(ctx context.Context, l *login) {
	logins, _ := g.store.all()
	for _, other := range logins {
		if other.Issuer == l.Issuer || !slices.Contains(other.Sites, l.address()) {
			continue
		}
		unlock, err := g.store.lock(ctx, other.Issuer)
		if err != nil {
			continue
		}
		if now, err := g.store.load(other.Issuer); err == nil {
			now.Sites = slices.DeleteFunc(now.Sites, func(s string) bool { return s == l.address() })
			_ = g.store.save(now)
		}
		unlock()
	}
}

// greet says that it worked, and what can be done now. That a token for the
// site can be had is part of it working.
func (g *gate) greet(ctx context.Context, c chosen) error {
	as := ""
	if c.login.User != "" {
		as = " as " + printable(c.login.User)
	}
	if _, err := g.accessToken(ctx, c); err != nil {
		if f, ok := errors.AsType[*failure](err); ok && f.code == exitRefused {
			g.tell("Signed in%s at %s, but not for this site.", as, printable(c.login.Issuer))
		}
		return err
	}
	g.tell("Signed in%s at %s.\n\nNext:", as, printable(c.login.Issuer))
	if c.site != "" {
		g.tell("  gate curl %s/\n      calls the site", printable(c.site))
	}
	g.tell("  gate token --for URL\n      prints a token, for any site of this issuer\n  gate logout\n      ends this login")
	if c.login.RefreshToken == "" {
		g.tell("\nThis login cannot be refreshed, because the issuer gave no refresh token; it ends at %s.",
			c.login.Access[c.site].Expires.Local().Format("15:04"))
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
)

// whoami asks the issuer who the person is (OpenID Connect Core, section 5.3).
func (g *gate) whoami(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("whoami", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, err := parse(fs, args, 1)
	if err != nil {
		return err
	}
	c, err := g.chooseKnown(only(rest))
	if err != nil {
		return err
	}
	claims, err := g.userinfo(ctx, c.login)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(g.stdout)
		e.SetIndent("", "  ")
		return e.Encode(claims)
	}
	var p person
	if err := json.Unmarshal(claims, &p); err != nil {
		return fail(exitFailed, "", "%s answered claims that cannot be read", c.login.Issuer)
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"user", p.title()},
		{"name", p.Name},
		{"email", p.Email},
		{"groups", strings.Join(p.Groups, ", ")},
		{"subject", p.Subject},
		{"issuer", c.login.Issuer},
		{"client", c.login.Client},
		{"scope", c.login.Scope},
		{"sites", strings.Join(c.login.Sites, ", ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], printable(line[1]))
		}
	}
	return w.Flush()
}

func (g *gate) userinfo(ctx context.Context, l *login) (json.RawMessage, error) {
	s, err := g.server(ctx, l.Issuer)
	if err != nil {
		return nil, err
	}
	if s.Userinfo == "" {
		return nil, fail(exitFailed, "gate list", "%s does not say who you are (its metadata has no userinfo_endpoint)", l.Issuer)
	}
	// A login without a refresh token has the token of its site alone.
	site := ""
	if _, ok := l.Access[""]; !ok && l.RefreshToken == "" && len(l.Sites) > 0 {
		site = l.Sites[0]
	}
	a, err := g.accessToken(ctx, chosen{l, site})
	if err != nil {
		return nil, err
	}
	r, err := g.http.get(ctx, s.Userinfo, a.Token)
	if err != nil {
		return nil, err
	}
	if r.status == http.StatusUnauthorized {
		return nil, signInAgain(l, errors.New(l.Issuer+" does not take the login any more"))
	}
	var claims json.RawMessage
	return claims, r.json(l.Issuer, &claims)
}

// list shows the logins that are kept here; nobody is asked.
func (g *gate) list(_ context.Context, args []string) error {
	if _, err := parse(flag.NewFlagSet("list", flag.ContinueOnError), args, 0); err != nil {
		return err
	}
	logins, fault := g.store.all()
	if len(logins) == 0 && fault == nil {
		g.tell("You are not signed in anywhere. Begin with: gate login https://app.example.com")
		return nil
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ISSUER\tUSER\tCLIENT\tSITES")
	for _, l := range logins {
		user := l.User
		if user == "" {
			user = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(l.Issuer), printable(user), printable(l.Client), printable(strings.Join(l.Sites, ", ")))
	}
	return errors.Join(w.Flush(), fault)
}

package page

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed templates
var builtin embed.FS

// name of a page's template, without ".html".
type name string

const (
	signIn        name = "signin"
	fault         name = "fault"
	signOut       name = "signout"
	signedOut     name = "signedout"
	consent       name = "consent"
	deviceCode    name = "device-code"
	deviceConfirm name = "device-confirm"
	deviceDone    name = "device-done"
	home          name = "home"
	formPost      name = "formpost"
	link          name = "link"
	known         name = "known"
	framed        name = "framed"
)

// The templates around the pages: the frame, and pieces that several use.
const (
	layout = "layout.html"
	parts  = "parts.html"
)

func names() []name {
	return []name{signIn, fault, signOut, signedOut, consent, deviceCode, deviceConfirm, deviceDone, home, formPost, link, known, framed}
}

// files are the names of all templates.
func files() []string {
	all := []string{layout, parts}
	for _, n := range names() {
		all = append(all, string(n)+".html")
	}
	return all
}

// parse makes one template set per page, each of frame, parts and page: every
// page defines "title" and "content".
func (r *Renderer) parse(override fs.FS) (map[name]*template.Template, error) {
	if err := checkNames(override); err != nil {
		return nil, err
	}
	pages := make(map[name]*template.Template)
	for _, n := range names() {
		set := template.New(string(n)).Option("missingkey=error")
		for _, file := range []string{layout, parts, string(n) + ".html"} {
			text, err := source(override, file)
			if err != nil {
				return nil, err
			}
			if _, err := set.New(file).Parse(text); err != nil {
				return nil, fmt.Errorf("parsing %s: %w: %w", file, ErrTemplate, err)
			}
		}
		pages[n] = set
	}
	return pages, nil
}

func source(override fs.FS, file string) (string, error) {
	if override != nil {
		text, err := fs.ReadFile(override, file)
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading %s: %w: %w", file, ErrTemplate, err)
		}
	}
	text, err := builtin.ReadFile("templates/" + file)
	if err != nil {
		return "", fmt.Errorf("reading built-in %s: %w", file, err)
	}
	return string(text), nil
}

// checkNames refuses a template that would never be used, since its name is
// most likely misspelt.
func checkNames(override fs.FS) error {
	if override == nil {
		return nil
	}
	known := files()
	entries, err := fs.ReadDir(override, ".")
	if err != nil {
		return fmt.Errorf("listing templates: %w: %w", ErrTemplate, err)
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".html" && !slices.Contains(known, e.Name()) {
			return fmt.Errorf("unknown template %s, there are %s: %w", e.Name(), strings.Join(known, ", "), ErrTemplate)
		}
	}
	return nil
}

// try renders each page twice, with everything set and with nothing.
func (r *Renderer) try() error {
	for _, full := range []bool{true, false} {
		for n, p := range samples(full) {
			if _, err := r.execute(n, p); err != nil {
				return fmt.Errorf("%w: %w", ErrTemplate, err)
			}
		}
	}
	return nil
}

func samples(full bool) map[name]any {
	if !full {
		return map[name]any{
			signIn: SignIn{}, fault: Fault{}, signOut: SignOut{}, signedOut: SignedOut{}, consent: Consent{},
			deviceCode: DeviceCode{}, deviceConfirm: deviceConfirmView{},
			deviceDone: DeviceDone{}, home: homeView{}, formPost: formPostView{}, link: Link{}, known: Known{}, framed: Framed{},
		}
	}
	const site, user, text, url = "app.example.com", "alice", "text", "/x"
	at := time.Unix(0, 0)
	fields := []Field{{"name", "value"}}
	now := func() time.Time { return at }
	return map[name]any{
		signIn: SignIn{
			Site: site, Action: url, AddressAction: url, Fields: fields, Username: user, Message: text,
			Providers: []ProviderLink{{Name: "google", Title: text, URL: url, Last: true}},
		},
		fault: Fault{
			Title: text, Message: text, Detail: text, RetryURL: url, RetryLabel: text,
			User: user, SignOutURL: url, SupportID: text,
		},
		signOut:    SignOut{Site: site, User: user, Action: url, Fields: fields, Everywhere: true},
		signedOut:  SignedOut{Site: site, NotIn: true, SignInURL: url},
		framed:     Framed{Site: site, URL: url},
		consent:    Consent{Client: text, ClientHost: site, User: user, Scopes: []string{text}, Action: url, Fields: fields},
		formPost:   FormPost{Site: site, URL: "https://app.example.com/", Answer: map[string][]string{"code": {text}}}.view(),
		deviceCode: DeviceCode{User: user, Action: url, Fields: fields, Code: text, Message: text},
		deviceConfirm: DeviceConfirm{
			Client: text, User: user, Code: "BCDFGHJK", Scopes: []string{text}, Address: text, UserAgent: text,
			Started: at, Action: url, Fields: fields,
		}.bounded(now),
		deviceDone: DeviceDone{Client: text, Approved: true},
		link:       Link{Provider: text, Site: site, User: user, Scopes: []string{text}, Action: url, CancelURL: url, Fields: fields},
		known:      Known{Provider: text, LinkURL: url, NewURL: url},
		home: Home{
			User: user, Message: text, Action: url, Fields: fields, SignOutURL: url, MoreURL: url,
			Identities: []Identity{{ID: text, Provider: text, Removable: true}}, Linkable: []ProviderLink{{Name: text, URL: url}},
			Delegations: []Delegation{{ID: text, Client: text, Provider: text, Allowed: true, Since: at, LastUsed: at}},
			Sessions:    []Session{{ID: text, Site: site, UserAgent: text, Since: at, LastSeen: at, Current: true}},
		}.bounded(now),
	}
}

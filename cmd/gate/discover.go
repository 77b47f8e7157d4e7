package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// server is the metadata of an issuer (RFC 8414, section 2) that gate uses.
type server struct {
	Issuer     string   `json:"issuer"`
	Device     string   `json:"device_authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Revocation string   `json:"revocation_endpoint"`
	Userinfo   string   `json:"userinfo_endpoint"`
	Scopes     []string `json:"scopes_supported"`
	PKCE       []string `json:"code_challenge_methods_supported"`
}

// resource is the metadata of a protected site (RFC 9728, section 2).
type resource struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
}

// discovered is what a site says about itself.
type discovered struct {
	// site is the resource that tokens are asked for. Empty when the address
	// was an issuer's own.
	site   string
	issuer string
}

// discover asks a site without credentials which issuer signs people in.
func (g *gate) discover(ctx context.Context, site *url.URL) (discovered, error) {
	r, err := g.http.probe(ctx, site.String())
	if err != nil {
		return discovered{}, err
	}
	address := ""
	if r.status == http.StatusUnauthorized {
		address = resourceMetadataOf(r.header.Values("WWW-Authenticate"))
	}
	if address == "" {
		return g.discoverOpen(ctx, site, r)
	}
	metadata, err := parseNamed(address, site)
	if err != nil {
		return discovered{}, mismatch("%w", err)
	}
	if origin(metadata) != origin(site) {
		return discovered{}, mismatch("%s points to another site, %s", origin(site), origin(metadata))
	}
	if r, err = g.http.get(ctx, metadata.String(), ""); err != nil {
		return discovered{}, err
	}
	return readResource(r, site)
}

// discoverOpen is for an address that lets everybody in: another page of the
// site may be protected, or the address is the issuer itself.
func (g *gate) discoverOpen(ctx context.Context, site *url.URL, first reply) (discovered, error) {
	root := &url.URL{Scheme: site.Scheme, Host: site.Host}
	r, err := g.http.get(ctx, wellKnown(root, "oauth-protected-resource"), "")
	if err != nil {
		return discovered{}, err
	}
	if r.status == http.StatusOK {
		if found, err := readResource(r, site); err == nil || errors.Is(err, errMismatch) {
			return found, err
		}
	}
	for _, issuer := range []string{site.String(), origin(site)} {
		if _, err := g.server(ctx, issuer); err == nil {
			return discovered{issuer: issuer}, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return discovered{}, err
	}
	if first.status >= 300 && first.status < 400 {
		return discovered{}, first.json(origin(site), nil)
	}
	fix := "Name a page that needs a sign-in. If this one does, its server must send WWW-Authenticate with resource_metadata (RFC 9728)."
	if site.Scheme == "http" && first.status == http.StatusBadRequest { // what servers answer to http where they speak https
		fix = "Write its address with https: https://" + site.Host
	}
	return discovered{}, fail(exitFailed, fix,
		"%w: %s answered %d and does not say where to sign in", errNotGuarded, origin(site), first.status)
}

// readResource checks a site's metadata. What names another site is not used
// (RFC 9728, section 3.3): it would have tokens of that site sent here.
func readResource(r reply, site *url.URL) (discovered, error) {
	var m resource
	if err := r.json("the metadata of "+origin(site), &m); err != nil {
		return discovered{}, err
	}
	named, err := url.Parse(m.Resource)
	if err != nil || !covers(named, site) {
		return discovered{}, mismatch("%s describes another resource, %s", origin(site), m.Resource)
	}
	if len(m.Servers) == 0 {
		return discovered{}, fail(exitFailed, "", "the metadata of %s names no authorization server", origin(site))
	}
	if _, err := parseNamed(m.Servers[0], site); err != nil {
		return discovered{}, mismatch("%w", err)
	}
	return discovered{site: m.Resource, issuer: m.Servers[0]}, nil
}

// server fetches the metadata of an issuer, whose name in it must be the very
// bytes it was asked by (RFC 8414, section 3.3).
func (g *gate) server(ctx context.Context, issuer string) (server, error) {
	var m server
	u, err := parseAddress(issuer)
	if err != nil {
		return m, err
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return m, fail(exitFailed, "", "an issuer has no query and no fragment")
	}
	r, err := g.http.get(ctx, wellKnown(u, "oauth-authorization-server"), "")
	if err != nil {
		return m, err
	}
	if err := r.json("the metadata of "+issuer, &m); err != nil {
		return m, err
	}
	if m.Issuer != issuer {
		return m, mismatch("%s describes another issuer, %s", issuer, m.Issuer)
	}
	if m.Token == "" {
		return m, fail(exitFailed, "", "the metadata of %s names no token endpoint", issuer)
	}
	for _, endpoint := range []string{m.Device, m.Token, m.Revocation, m.Userinfo} {
		if endpoint == "" {
			continue
		}
		if _, err := parseNamed(endpoint, u); err != nil {
			return m, mismatch("%w", err)
		}
	}
	return m, nil
}

// supported keeps of a list what a server's metadata has. A server that lists
// nothing (the list is optional) is asked for all.
func supported(wanted, listed []string) []string {
	if len(listed) == 0 {
		return wanted
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(s string) bool { return !slices.Contains(listed, s) })
}

// The two reasons for which a site is not one to sign in to.
var (
	errMismatch   = errors.New("metadata cannot be trusted")
	errNotGuarded = errors.New("no sign-in here")
)

// mismatch is the error of metadata that claims to be somebody else's, or that
// leads where it must not.
func mismatch(format string, args ...any) error {
	return &failure{
		code: exitFailed, err: fmt.Errorf("%w: "+format, append([]any{errMismatch}, args...)...),
		fix: "Do not sign in there. Ask whoever runs the site: its metadata is wrong, or somebody has changed it.",
	}
}

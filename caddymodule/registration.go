package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
)

// ClientRegistration says how clients that nobody has configured may register
// themselves. They may go where a guard says `self_registered`, and nowhere else.
type ClientRegistration struct {
	// Hosts whose metadata documents are taken, of clients whose id is the address of
	// such a document, or `any`. Default: none.
	MetadataDocuments []string `json:"metadata_documents,omitempty"`
	// Whether clients may register at the registration endpoint (RFC 7591). Nothing is
	// stored: the registration is in the client's id. Default: false.
	Dynamic bool `json:"dynamic,omitempty"`
}

// anyDocument stands for all hosts.
const anyDocument = "any"

func (c *ClientRegistration) check() error {
	if c == nil {
		return nil
	}
	for _, host := range c.MetadataDocuments {
		switch {
		case host == anyDocument && len(c.MetadataDocuments) > 1:
			return errors.New("metadata_documents: any stands for all hosts, so no others are named beside it")
		case strings.ContainsAny(host, "*"):
			return fmt.Errorf("metadata_documents %q: each host is named in full; any stands for all", host)
		case strings.ContainsAny(host, "/:@?# "):
			return fmt.Errorf("metadata_documents %q is no host name; write: metadata_documents %s", host, hostOf(host))
		}
	}
	return nil
}

// SelfRegistered is what clients that registered themselves may have at a guard.
type SelfRegistered struct {
	// Scopes that they may ask for. Default: none, and a token is good for what needs no
	// scope.
	Scopes []string `json:"scopes,omitempty"`
}

// check refuses scopes that are the issuer's business, which no such client has any.
func (s *SelfRegistered) check() error {
	if s == nil {
		return nil
	}
	for i, scope := range s.Scopes {
		parsed, err := client.ParseScope(scope)
		if err != nil || len(parsed) != 1 {
			return fmt.Errorf("self_registered: scope %q is not possible (RFC 6749, section 3.3)", scope)
		}
		_, ofProvider := client.ScopeProvider(scope)
		switch {
		case scope == client.OfflineAccess:
			return errors.New("self_registered: offline_access need not be named; a client has it that registers for refresh_token")
		case ofProvider, slices.Contains([]string{"openid", "profile", "email", "groups"}, scope):
			return fmt.Errorf("self_registered: the scope %s is about the account of a person, which no client gets that registered itself; name scopes of the application", scope)
		case slices.Contains(s.Scopes[:i], scope):
			return fmt.Errorf("self_registered names %s twice", scope)
		}
	}
	return nil
}

// provisionSelfRegistered makes a rule of the option.
func (g *Guard) provisionSelfRegistered() error {
	if g.SelfRegistered == nil {
		return nil
	}
	if g.app.ClientRegistration == nil {
		return errors.New("self_registered: no client can register itself; the app has no client_registration")
	}
	if err := g.SelfRegistered.check(); err != nil {
		return err
	}
	g.rules.SelfRegistered = &guard.SelfRegistered{Scopes: g.app.Scopes.Expand(g.SelfRegistered.Scopes)}
	return nil
}

// registration is what the gateway is told of clients that register themselves.
func (a *App) registration(sites []site) flows.Registration {
	c := a.ClientRegistration
	if c == nil {
		return flows.Registration{}
	}
	made := flows.Registration{Dynamic: c.Dynamic, Open: a.openResources()}
	if len(made.Open) == 0 {
		a.logger.Warn("client_registration has no effect: no guard lets such clients in; write self_registered in the block of one")
	}
	if len(c.MetadataDocuments) > 0 {
		var hosts []string
		if c.MetadataDocuments[0] != anyDocument {
			for _, host := range c.MetadataDocuments {
				hosts = append(hosts, strings.ToLower(host))
			}
		}
		made.Documents = registration.NewDocuments(registration.DocumentsConfig{
			Client: outbound.NewPublicClient(outbound.PublicOptions{Loopback: a.isLocal(sites)}), Hosts: hosts, Now: time.Now,
		})
	}
	return made
}

// openResources are those of the guards that say self_registered.
func (a *App) openResources() []flows.OpenResource {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	var open []flows.OpenResource
	for _, g := range a.guards {
		if g.SelfRegistered == nil {
			continue
		}
		var tokens []string
		if g.ProviderToken != "" && !g.ProviderTokenService {
			tokens = []string{g.ProviderToken}
		}
		for _, origin := range origins(g.standsAt) {
			for _, path := range g.resourcePaths() {
				open = append(open, flows.OpenResource{Origin: origin, Path: path, Scopes: a.Scopes.Expand(g.SelfRegistered.Scopes), ProviderTokens: tokens})
			}
		}
	}
	return open
}

// isLocal reports whether people reach the gateway at this machine alone.
func (a *App) isLocal(sites []site) bool {
	if a.issuer != "" {
		u, err := url.Parse(a.issuer)
		return err == nil && isLocalName(u.Hostname())
	}
	return len(sites) > 0 && !slices.ContainsFunc(sites, func(s site) bool { return !isLocalName(s.name) })
}

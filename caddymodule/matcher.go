package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

func init() {
	caddy.RegisterModule(new(MatchIdentity))
}

// MatchIdentity matches requests by who is signed in at the site, before the guard,
// behind it, and where it lets everybody pass; a request of nobody, or of somebody
// whom the guard refused, matches nothing. All of the conditions must hold, the values
// of one are alternatives.
//
// It decides what a request is for, such as which upstream; who may enter is the
// guard's business: before it, and where it lets everybody pass, its policies have not
// been asked. Where it asks for what a provider said in a way that cannot be
// read, the request is refused: `not gatehouse group contractors` would match
// otherwise. Caddy asks the conditions of one set in any order, so a path that is to
// be asked first stands around it, in a `handle`.
type MatchIdentity struct {
	// Groups of the user.
	Groups []string `json:"groups,omitempty"`
	// Scopes of the access token.
	Scopes []string `json:"scopes,omitempty"`
	// Claims by name: user, email, name, provider, sub, acr, or one that the
	// provider's block keeps.
	Claims map[string][]string `json:"claims,omitempty"`

	app *App
}

// CaddyModule returns the Caddy module information.
func (*MatchIdentity) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.gatehouse", New: func() caddy.Module { return new(MatchIdentity) }}
}

// UnmarshalCaddyfile parses:
//
//	gatehouse group <name…>
//	gatehouse scope <name…>
//	gatehouse claim <name> <value…>
//	gatehouse {
//		group | scope | claim …
//	}
func (m *MatchIdentity) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if d.NextArg() {
			if err := m.parseCondition(d); err != nil {
				return err
			}
		}
		for d.NextBlock(0) {
			if err := m.parseCondition(d); err != nil {
				return err
			}
		}
	}
	if err := m.Validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (m *MatchIdentity) parseCondition(d *caddyfile.Dispenser) error {
	condition := d.Val()
	values := d.RemainingArgs()
	if len(values) == 0 {
		return missingValue(d, condition)
	}
	if err := m.add(condition, values); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (m *MatchIdentity) add(condition string, values []string) error {
	switch condition {
	case "group":
		m.Groups = append(m.Groups, values...)
	case "scope":
		m.Scopes = append(m.Scopes, values...)
	case "claim":
		if len(values) < 2 {
			return errors.New("claim needs a name and at least one value")
		}
		if m.Claims == nil {
			m.Claims = make(map[string][]string)
		}
		m.Claims[values[0]] = append(m.Claims[values[0]], values[1:]...)
	default:
		return fmt.Errorf("unrecognized condition %q%s", condition, didYouMean(condition, []string{"group", "scope", "claim"}))
	}
	return nil
}

// Validate refuses a matcher without a condition: it would match everybody.
func (m *MatchIdentity) Validate() error {
	if len(m.Groups)+len(m.Scopes)+len(m.Claims) == 0 {
		return errors.New("the matcher gatehouse needs a condition: group, scope or claim")
	}
	for _, g := range m.Groups {
		if !identity.IsGroup(g) {
			return fmt.Errorf("group %.40q can match nobody: a group has at most %d bytes, no control characters and no space at either end", g, identity.MaxGroup)
		}
	}
	return nil
}

// MatchWithError implements [caddyhttp.RequestMatcherWithError].
func (m *MatchIdentity) MatchWithError(r *http.Request) (bool, error) {
	id, err := m.who(r)
	if id == nil || err != nil {
		return false, err
	}
	if m.asksUnread(&id.Claims) {
		return false, caddyhttp.Error(http.StatusForbidden, errUnread)
	}
	if len(m.Groups) > 0 && !meets(m.Groups, id.Groups) {
		return false, nil
	}
	if len(m.Scopes) > 0 && !meets(m.Scopes, m.scopesOf(id)) {
		return false, nil
	}
	for name, wanted := range m.Claims {
		if !meets(wanted, claimValues(id, name)) {
			return false, nil
		}
	}
	return true, nil
}

// scopesOf are the scopes of somebody's token, and those that they imply.
func (m *MatchIdentity) scopesOf(id *identity.Identity) []string {
	if m.app == nil {
		return id.Scope
	}
	return m.app.Scopes.Expand(id.Scope)
}

// who is whom the request is of: whom a guard let pass, or who is signed in.
func (m *MatchIdentity) who(r *http.Request) (*identity.Identity, error) {
	v := verdictOf(r)
	switch {
	case v != nil && v.forbidden:
		return nil, nil
	case v != nil && v.id != nil:
		return v.id, nil
	case m.app == nil:
		return nil, nil
	}
	return m.app.whoAsks(r, v)
}

// errUnread is a request of a user of whom the provider said what the matcher looks
// at in a way that cannot be read.
var errUnread = errors.New("gatehouse: a claim of the user from the provider cannot be read")

func (m *MatchIdentity) asksUnread(c *identity.Claims) bool {
	if c.GroupsLeft > 0 && slices.ContainsFunc(m.Groups, func(g string) bool { return c.MayBeInGroup(g) && !c.InGroup(g) }) {
		return true
	}
	if len(c.Unread) == 0 && len(c.Extra) == 0 {
		return false
	}
	needs := m.needs()
	for name := range m.Claims {
		if _, known := c.ClaimValues(name); !known {
			return true
		}
	}
	email := needs.Email > identity.NotNeeded || needs.User > identity.NotNeeded && c.IsCalledByID()
	return needs.Groups > identity.NotNeeded && c.IsUnread(identity.ClaimGroups) ||
		email && c.IsUnread(identity.ClaimEmail)
}

// needs are the claims that the matcher looks at.
func (m *MatchIdentity) needs() (n identity.Needs) {
	if len(m.Groups) > 0 {
		n.Groups = identity.Judged
	}
	for name := range m.Claims {
		switch name {
		case "user":
			n.User = identity.Judged
		case "email":
			n.Email = identity.Judged
		case "name":
			n.Name = identity.Shown
		case "provider", "sub", "acr":
		default:
			n.Claims = identity.Judged
		}
	}
	return n
}

// join makes known to the app what the matcher looks at.
func (m *MatchIdentity) join(ctx caddy.Context) error {
	app, err := ctx.AppIfConfigured(appName)
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return nil // it matches nothing
	case err != nil:
		return err
	}
	m.app = app.(*App)
	m.app.joinMatcher(m.needs(), m.Groups)
	for _, group := range m.Groups {
		if err := m.app.checkGroup(policy.Rule{}, group); err != nil {
			return fmt.Errorf("group %q can match nobody: %w", group, err)
		}
	}
	for name := range m.Claims {
		if isOwnClaim(name) {
			continue
		}
		if err := m.app.checkClaim(policy.Rule{}, name); err != nil {
			return err
		}
	}
	return nil
}

// isOwnClaim reports whether a claim of the matcher is one of our own, not a further one.
func isOwnClaim(name string) bool {
	return slices.Contains([]string{"user", "email", "name", "provider", "sub", "acr"}, name)
}

// Provision makes known to the app what the matcher looks at.
func (m *MatchIdentity) Provision(ctx caddy.Context) error { return m.join(ctx) }

func meets(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// claimValues are the values of a claim, none if there is none.
func claimValues(id *identity.Identity, name string) []string {
	var value string
	switch name {
	case "user":
		value = id.User
	case "email":
		value = id.VerifiedEmail()
	case "name":
		value = id.Name
	case "provider":
		value = id.Provider
	case "sub":
		value = id.Subject
	case "acr":
		return id.ACRs(time.Now())
	default:
		values, _ := id.ClaimValues(name)
		return values
	}
	if value == "" {
		return nil
	}
	return []string{value}
}

// CELLibrary makes gatehouse('group', 'staff'), gatehouse('scope', 'read') and
// gatehouse('claim', 'name=value') functions of the expression matcher.
func (*MatchIdentity) CELLibrary(ctx caddy.Context) (cel.Library, error) {
	return caddyhttp.CELMatcherImpl(
		"gatehouse", "gatehouse_request_string_string", []*cel.Type{cel.StringType, cel.StringType},
		func(data ref.Val) (caddyhttp.RequestMatcherWithError, error) {
			native, err := data.ConvertToNative(reflect.TypeFor[[]string]())
			if err != nil {
				return nil, err
			}
			params, ok := native.([]string)
			if !ok || len(params) != 2 {
				return nil, errors.New("gatehouse takes two strings")
			}
			values := params[1:]
			if params[0] == "claim" {
				values = strings.SplitN(params[1], "=", 2)
			}
			m := new(MatchIdentity)
			if err := m.add(params[0], values); err != nil {
				return nil, err
			}
			return m, m.join(ctx)
		},
	)
}

// Interface guards
var (
	_ caddyfile.Unmarshaler             = (*MatchIdentity)(nil)
	_ caddy.Provisioner                 = (*MatchIdentity)(nil)
	_ caddy.Validator                   = (*MatchIdentity)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchIdentity)(nil)
	_ caddyhttp.CELLibraryProducer      = (*MatchIdentity)(nil)
)

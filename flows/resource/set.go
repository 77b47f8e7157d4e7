package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Resource is a part of guarded sites that tokens are issued for.
type Resource struct {
	// Sites are the origins of the sites that have it; the first label of a name may be
	// "*".
	Sites []string
	// Path of a named resource, such as /mcp; what is below belongs to it. "" is the
	// origin, which covers what no named one does.
	Path string
	// Name for people. Default: none.
	Name string
	// Scopes that are of use there.
	Scopes []string
	// Providers whose tokens for the user the resource works with.
	Providers []Provider
}

// Provider is an identity provider whose token for the user a resource works with.
type Provider struct {
	Name string
	// Scopes that the token must cover.
	Scopes []string
}

// Set holds the resources of all guarded sites. The zero Set has no named ones. It is not
// changed after it is in use.
type Set struct {
	sites []site
}

// site is an origin, or many, and its resources.
type site struct {
	pattern web.OriginPattern
	origin  Resource
	named   []Resource // the longest path first
}

// NewSet gathers what guards say: several may speak of one resource. It fails where
// one is not possible.
func NewSet(resources []Resource) (*Set, error) {
	s := new(Set)
	for _, r := range resources {
		if r.Path != "" {
			if err := CheckPath(r.Path); err != nil {
				return nil, fmt.Errorf("resource %s: %w", r.Path, err)
			}
		}
		r.Path = strings.TrimSuffix(r.Path, "/")
		for _, origin := range r.Sites {
			pattern, err := web.ParseOriginPattern(origin)
			if err != nil {
				return nil, err
			}
			if err := s.site(pattern).add(r); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *Set) site(pattern web.OriginPattern) *site {
	for i := range s.sites {
		if s.sites[i].pattern == pattern {
			return &s.sites[i]
		}
	}
	s.sites = append(s.sites, site{pattern: pattern})
	return &s.sites[len(s.sites)-1]
}

func (s *site) add(r Resource) error {
	if r.Path == "" {
		s.origin.merge(r)
		return nil
	}
	for i := range s.named {
		switch n := &s.named[i]; {
		case n.Path == r.Path:
			if n.Name != "" && r.Name != "" && n.Name != r.Name {
				return fmt.Errorf("resource %s has two names, %q and %q", r.Path, n.Name, r.Name)
			}
			n.merge(r)
			return nil
		case strings.EqualFold(n.Path, r.Path):
			return fmt.Errorf("resources %s and %s differ only in case, which many servers ignore", n.Path, r.Path)
		}
	}
	own := Resource{Path: r.Path}
	own.merge(r)
	s.named = append(s.named, own)
	slices.SortFunc(s.named, func(a, b Resource) int { return len(b.Path) - len(a.Path) })
	return nil
}

// merge adds what another guard says of the same resource.
func (r *Resource) merge(other Resource) {
	if r.Name == "" {
		r.Name = other.Name
	}
	for _, scope := range other.Scopes {
		if !slices.Contains(r.Scopes, scope) {
			r.Scopes = append(r.Scopes, scope)
		}
	}
	for _, p := range other.Providers {
		r.needs(p)
	}
}

func (r *Resource) needs(p Provider) {
	for i := range r.Providers {
		if known := &r.Providers[i]; known.Name == p.Name {
			for _, scope := range p.Scopes {
				if !slices.Contains(known.Scopes, scope) {
					known.Scopes = append(slices.Clone(known.Scopes), scope)
				}
			}
			return
		}
	}
	r.Providers = append(r.Providers, p)
}

// at is the site of an origin, or nil. An origin whose port no site is known to have is
// taken for the site of its name: a port may be mapped on the way.
func (s *Set) at(origin string) *site {
	if s == nil || len(s.sites) == 0 {
		return nil
	}
	scheme, host, _ := strings.Cut(origin, "://")
	for i := range s.sites {
		if s.sites[i].pattern.Matches(scheme, host) {
			return &s.sites[i]
		}
	}
	name := web.HostName(host)
	var found *site
	for i := range s.sites {
		if !s.sites[i].pattern.HasName(name) {
			continue
		}
		if found == nil || len(s.sites[i].named) > len(found.named) {
			found = &s.sites[i]
		}
	}
	return found
}

// HasSite reports whether an origin is that of a site that the set speaks of.
func (s *Set) HasSite(origin string) bool {
	if s == nil {
		return false
	}
	scheme, host, _ := strings.Cut(origin, "://")
	return slices.ContainsFunc(s.sites, func(at site) bool { return at.pattern.Matches(scheme, host) })
}

// of is the named resource that a path belongs to, or nil for the origin. fold is how
// servers read a path that ignore letters' case.
func (s *site) of(path string, fold bool) *Resource {
	if s == nil {
		return nil
	}
	for i := range s.named {
		n := &s.named[i]
		if below(path, n.Path) || fold && len(path) >= len(n.Path) && strings.EqualFold(path[:len(n.Path)], n.Path) && (len(path) == len(n.Path) || path[len(n.Path)] == '/') {
			return n
		}
	}
	return nil
}

// Find returns the resource that an identifier names at a guarded site: a named one or
// a part of it, or the origin, or, where none is named, a part of the origin. A token for
// anything else would open nothing.
func (s *Set) Find(i Identifier) (Resource, bool) {
	at := s.at(i.Origin)
	switch n := at.of(i.Path, true); {
	case n != nil:
		return *n, below(i.Path, n.Path)
	case at == nil:
		return Resource{}, true
	default:
		return at.origin, i.Path == "" || len(at.named) == 0
	}
}

// Covers reports whether a resource that somebody may have is another, or a whole of
// which the other is a part.
func (s *Set) Covers(whole, part Identifier) bool {
	if whole.Origin != part.Origin || !below(part.Path, whole.Path) {
		return false
	}
	at := s.at(whole.Origin)
	return at.of(whole.Path, false) == at.of(part.Path, false)
}

// Named returns the path of the named resource that a request is of, by any reading of
// its URI, or "".
func (s *Set) Named(origin, uri string) string {
	at := s.at(origin)
	if at == nil || len(at.named) == 0 {
		return ""
	}
	sent, others, err := reading.Paths(uri)
	if err != nil {
		return at.named[0].Path // nobody can tell; it is refused elsewhere
	}
	if n := at.of(sent, true); n != nil {
		return n.Path
	}
	for _, path := range others {
		if n := at.of(path, true); n != nil {
			return n.Path
		}
	}
	return ""
}

// Opens reports whether a token of an audience is for what a request asks for, by every
// reading of its URI. A token for a resource opens what belongs to that and lies below its
// own path.
func (s *Set) Opens(audience []string, origin, uri string) bool {
	at := s.at(origin)
	if (at == nil || len(at.named) == 0) && names(audience, origin, "") {
		return true
	}
	sent, others, err := reading.Paths(uri)
	if err != nil || !at.opens(audience, origin, sent) {
		return false
	}
	for _, path := range others {
		if !at.opens(audience, origin, path) {
			return false
		}
	}
	return true
}

func (s *site) opens(audience []string, origin, path string) bool {
	of := s.of(path, false)
	if s.of(path, true) != of {
		return false // servers that ignore case take it for another one
	}
	own := ""
	if of != nil {
		own = of.Path
	}
	if names(audience, origin, own) {
		return true
	}
	for _, aud := range audience {
		i, err := ParseIdentifier(aud)
		if err == nil && i.Origin == origin && below(path, i.Path) && s.of(i.Path, false) == of {
			return true
		}
	}
	return false
}

// names reports whether an audience holds a resource in its canonical spelling, or with
// a slash at the end.
func names(audience []string, origin, path string) bool {
	for _, aud := range audience {
		if rest, ok := strings.CutPrefix(aud, origin); ok {
			if rest, ok = strings.CutPrefix(rest, path); ok && (rest == "" || rest == "/") {
				return true
			}
		}
	}
	return false
}

// Scopes are those that are of use at some resource.
func (s *Set) Scopes() []string {
	if s == nil {
		return nil
	}
	var all []string
	for i := range s.sites {
		all = append(all, s.sites[i].origin.Scopes...)
		for _, n := range s.sites[i].named {
			all = append(all, n.Scopes...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

package preset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// Preset is what is known of one provider.
type Preset struct {
	// Name of the type in the Caddyfile.
	Name string
	// Title shown to people, unless the operator gives another.
	Title string
	// Issuer where the operator names none; "" if the operator must.
	Issuer string
	// FixedIssuer: the operator cannot name another.
	FixedIssuer bool
	// Example of an issuer, where the operator must name it.
	Example string
	// Hosts of its issuers beside those of Issuer and Example.
	Hosts []string
	// IssuerCure is what to check where no provider is found at an issuer, as a
	// sentence.
	IssuerCure string
	// Faults are what pages of the provider say of a request that is at fault: a text in
	// the page or in its address, and what to do. For providers that show such a page as
	// if all were well.
	Faults map[string]string
	// CheckGroup refuses a group that nobody there can be in. Default: any may be.
	CheckGroup func(string) error
	// Options that this provider has beside those of any client, by their names.
	Options map[string]Option
	// Check judges what people get wrong, and names the cure. The issuer is the
	// default one if none was named. Default: nothing is judged.
	Check func(Settings) error
	// Open reports whether anybody can open an account there. Default: nobody can.
	Open func(Settings) bool
	// Configure fills in what the operator has not configured. The name, the client
	// and the issuer are set before.
	Configure func(*oidc.Config, Settings) error
}

// Option is an option of a preset's own.
type Option struct {
	// Kind of its values.
	Kind Kind
	// Example of a value.
	Example string
	// Required in each block.
	Required bool
}

// Kind of an option's values.
type Kind int

// The kinds of options.
const (
	One  Kind = iota // a value
	Many             // one or more
	Flag             // none
)

// Settings are what the operator wrote in a block.
type Settings struct {
	Issuer  string
	Options map[string][]string
}

// Get is the value of an option, or "".
func (s Settings) Get(name string) string {
	if len(s.Options[name]) == 0 {
		return ""
	}
	return s.Options[name][0]
}

// Has reports whether an option is set.
func (s Settings) Has(name string) bool {
	_, ok := s.Options[name]
	return ok
}

var registered = make(map[string]*Preset)

func register(p *Preset) {
	if registered[p.Name] != nil {
		panic("preset " + p.Name + " is registered twice")
	}
	registered[p.Name] = p
}

// All are the presets by their names.
func All() []*Preset {
	return slices.SortedFunc(maps.Values(registered), func(a, b *Preset) int { return strings.Compare(a.Name, b.Name) })
}

// OfOption are the names of the presets that have an option.
func OfOption(option string) []string {
	var names []string
	for _, p := range All() {
		if _, ok := p.Options[option]; ok {
			names = append(names, p.Name)
		}
	}
	return names
}

// OfIssuer is the preset of a provider that has one issuer and needs no option of its
// own, or nil: its ways are the same, whatever the block calls it.
func OfIssuer(issuer string) *Preset {
	for _, p := range All() {
		if p.FixedIssuer && p.Issuer == issuer && p.Validate(Settings{}) == nil {
			return p
		}
	}
	return nil
}

// openWorkloads are hosts of issuers at which nobody signs in, and of which anybody's
// workload has a token for any audience.
var openWorkloads = []string{"token.actions.githubusercontent.com"}

// IsOpenIssuer reports whether anybody can open an account at an issuer, whatever the
// type of its block.
func IsOpenIssuer(issuer string) bool {
	return isHost(issuer, openWorkloads...) || slices.ContainsFunc(All(), func(p *Preset) bool { return p.isOpenAt(issuer) })
}

// isOpenAt reports whether an issuer is this provider's, and anybody can open an account
// there.
func (p *Preset) isOpenAt(issuer string) bool {
	return isHost(issuer, append([]string{hostOf(p.Issuer), hostOf(p.Example)}, p.Hosts...)...) && p.IsOpen(Settings{Issuer: issuer})
}

// IsOpen reports whether anybody can open an account there.
func (p *Preset) IsOpen(s Settings) bool { return p.Open != nil && p.Open(p.complete(s)) }

// Validate judges a block: the options that it needs, and what people get wrong.
func (p *Preset) Validate(s Settings) error {
	for _, name := range slices.Sorted(maps.Keys(p.Options)) {
		if o := p.Options[name]; o.Required && !s.Has(name) {
			return fmt.Errorf("%s is missing; for example: %s %s", name, name, o.Example)
		}
	}
	for name := range s.Options {
		if _, ok := p.Options[name]; !ok {
			return fmt.Errorf("%s has no option %q", p.Name, name)
		}
	}
	if p.Check == nil {
		return nil
	}
	return p.Check(p.complete(s))
}

// Apply makes a configuration of a block. It holds the name, the client and what else
// the operator configured.
func (p *Preset) Apply(c oidc.Config, s Settings) (oidc.Config, error) {
	s = p.complete(s)
	c.Issuer = s.Issuer
	if c.Title == "" {
		c.Title = p.Title
	}
	c.IssuerCure, c.PageFaults = p.IssuerCure, p.Faults
	if p.Configure == nil {
		return c, nil
	}
	err := p.Configure(&c, s)
	return c, err
}

func (p *Preset) complete(s Settings) Settings {
	if s.Issuer == "" {
		s.Issuer = p.Issuer
	}
	return s
}

package identity

// Need is what for a configuration looks at a claim.
type Need uint8

// The needs, the greater the more depends on it.
const (
	// NotNeeded: nothing looks at it.
	NotNeeded Need = iota
	// Shown: upstreams or clients are told it.
	Shown
	// Perhaps: a rule of another configuration, which is not known here, may be
	// about it.
	Perhaps
	// Judged: a rule is about it.
	Judged
)

// Needs are the claims that a configuration looks at. They are computed once, when
// it is loaded, and decide what a provider is asked for.
type Needs struct {
	User   Need // the name that rules call somebody
	Email  Need
	Name   Need
	Groups Need
}

// Join is what either needs.
func (n Needs) Join(other Needs) Needs {
	return Needs{
		User: max(n.User, other.User), Email: max(n.Email, other.Email),
		Name: max(n.Name, other.Name), Groups: max(n.Groups, other.Groups),
	}
}

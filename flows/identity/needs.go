package identity

// Need says what a configuration uses a claim for.
type Need uint8

// The needs, in rising order of what depends on the claim.
const (
	// NotNeeded: nothing uses it.
	NotNeeded Need = iota
	// Shown: upstreams or clients receive it.
	Shown
	// Perhaps: a rule of another configuration, unknown here, may be about it.
	Perhaps
	// Judged: a rule is about it.
	Judged
)

// Needs are the claims that a configuration uses. They are computed once, when it
// is loaded, and decide what a provider is asked for.
type Needs struct {
	User   Need // the name that rules call somebody
	Email  Need
	Name   Need
	Groups Need
	// Claims are the further claims (Claims.Extra), all alike.
	Claims Need
}

// Join is what either needs.
func (n Needs) Join(other Needs) Needs {
	return Needs{
		User: max(n.User, other.User), Email: max(n.Email, other.Email),
		Name: max(n.Name, other.Name), Groups: max(n.Groups, other.Groups),
		Claims: max(n.Claims, other.Claims),
	}
}

package caddymodule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

func init() {
	caddy.RegisterModule(new(Local))
}

// Local signs in users of the configuration itself, by name and password.
type Local struct {
	// The users. A user who is removed, or from a group, is out within a
	// minute after a reload.
	Users []LocalUser `json:"users,omitempty"`

	comparers map[string]caddyauth.Comparer
}

// LocalUser is one user of the configuration.
type LocalUser struct {
	// What the user types, and what policies and upstreams call them.
	Name string `json:"name"`
	// The password as hashed by `caddy hash-password`, by bcrypt or argon2id.
	Hash string `json:"hash"`
	// An e-mail address; it counts as verified.
	Email string `json:"email,omitempty"`
	// The name for people.
	Title string `json:"title,omitempty"`
	// Groups that policies and upstreams know.
	Groups []string `json:"groups,omitempty"`
	// Further claims and their values, for rules, headers and tokens.
	Claims map[string][]string `json:"claims,omitempty"`
}

// passwordQueue bounds how many passwords are checked at once in this process,
// whatever configuration they are checked for.
var passwordQueue = local.NewQueue(0, 0, 0)

// CaddyModule returns the Caddy module information.
func (*Local) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".local", New: func() caddy.Module { return new(Local) }}
}

// hashModules are Caddy's modules by the prefix of the hashes that they check.
var hashModules = []struct{ prefix, module string }{
	{"$2a$", "bcrypt"}, {"$2b$", "bcrypt"}, {"$2y$", "bcrypt"}, {"$argon2id$", "argon2id"},
}

func hashModule(user, hash string) (string, error) {
	for _, m := range hashModules {
		if strings.HasPrefix(hash, m.prefix) {
			return m.module, nil
		}
	}
	return "", fmt.Errorf("user %s: what stands for the password is no hash that is known (bcrypt or argon2id); make one with: %s", user, hashCommand())
}

// passwordModule is the [hashModule] of a user's password, whose hash must be
// whole: one that was cut off, as by a shell that replaced what begins with a $
// in it, is of no password.
func passwordModule(user, hash string) (string, error) {
	const bcryptLength = 60 // with prefix, cost and salt
	module, err := hashModule(user, hash)
	if module == "bcrypt" && len(hash) != bcryptLength {
		return "", fmt.Errorf("user %s: a bcrypt hash has %d characters, and this one %d: was it cut off, or a $ in it replaced?", user, bcryptLength, len(hash))
	}
	return module, err
}

// hashCommand is what to type for a hash, under the name that this program has in
// its help.
func hashCommand() string {
	return cmp.Or(caddy.CustomBinaryName, "caddy") + " hash-password"
}

// Provision loads the modules that check the hashes.
func (l *Local) Provision(ctx caddy.Context) error {
	l.comparers = make(map[string]caddyauth.Comparer)
	for i, u := range l.Users {
		var err error
		if strings.Contains(u.Hash, "{") {
			if l.Users[i].Hash, err = expand("the password hash of user "+u.Name, u.Hash); err != nil {
				return err
			}
		}
		name, err := passwordModule(u.Name, l.Users[i].Hash)
		if err != nil {
			return err
		}
		if l.comparers[name] != nil {
			continue
		}
		module, err := ctx.LoadModuleByID("http.authentication.hashes."+name, nil)
		if err != nil {
			return err
		}
		comparer, ok := module.(caddyauth.Comparer)
		if !ok {
			return fmt.Errorf("module %T is not a caddyauth.Comparer", module)
		}
		l.comparers[name] = comparer
	}
	return nil
}

// OpenProvider implements [ProviderModule].
func (l *Local) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	users := make([]local.User, 0, len(l.Users))
	for _, u := range l.Users {
		name, err := hashModule(u.Name, u.Hash)
		if err != nil {
			return nil, err
		}
		users = append(users, local.User{
			Name: u.Name, PasswordHash: u.Hash, Comparer: l.comparers[name],
			Email: u.Email, Groups: u.Groups, Title: u.Title, Claims: u.Claims,
		})
	}
	return local.New(local.Config{
		Name: b.Name, Title: b.Title, Users: users, Queue: passwordQueue, Now: time.Now, Logger: b.Logger,
	})
}

func (l *Local) userNames() userNames {
	var n userNames
	for _, u := range l.Users {
		n.fixed = append(n.fixed, u.Name)
	}
	return n
}

// UnmarshalCaddyfile parses:
//
//	provider <name> [local] {
//		user <name> <hash> {
//			email  <address>
//			title  <name for people>
//			groups <group…>
//			claim  <name> <value…>
//		}
//	}
func (l *Local) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if err := noArgsBehind(d); err != nil {
		return err
	}
	for d.NextBlock(0) {
		if d.Val() != "user" {
			return d.Errf("unrecognized option %q%s", d.Val(), meant(d.Val(), []string{"user", "title", "allow", "deny", "hidden"}, globalOptions...))
		}
		if err := l.parseUser(d); err != nil {
			return err
		}
	}
	if len(l.Users) == 0 {
		return d.Errf("provider local needs a user: user NAME HASH, where %s makes the hash", hashCommand())
	}
	return nil
}

func (l *Local) parseUser(d *caddyfile.Dispenser) error {
	var u LocalUser
	if err := noGluedBrace(d); err != nil {
		return err
	}
	if !d.AllArgs(&u.Name, &u.Hash) {
		return d.Errf("user needs a name and a hash, where %s makes the hash%s", hashCommand(), unset)
	}
	for _, other := range l.Users {
		if other.Name == u.Name {
			return d.Errf("user %s is listed twice", u.Name)
		}
	}
	if isLiteral(u.Hash) {
		if _, err := passwordModule(u.Name, u.Hash); err != nil {
			return d.WrapErr(err)
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "email":
			if err := oneArg(d, &u.Email); err != nil {
				return err
			}
			if !identity.IsAddress(u.Email) {
				return d.Errf("user %s: %q is not an e-mail address", u.Name, u.Email)
			}
		case "title":
			if err := oneArg(d, &u.Title); err != nil {
				return err
			}
		case "groups":
			if err := someWords(d, &u.Groups); err != nil {
				return err
			}
		case "claim":
			if err := u.parseClaim(d); err != nil {
				return err
			}
		default:
			return d.Errf("unrecognized option %q of a user%s", d.Val(), meant(d.Val(), []string{"claim", "email", "groups", "title"}, append([]string{"user", "allow", "deny"}, globalOptions...)...))
		}
	}
	l.Users = append(l.Users, u)
	return nil
}

// parseClaim parses `claim <name> <value…>`.
func (u *LocalUser) parseClaim(d *caddyfile.Dispenser) error {
	var words []string
	if err := someWords(d, &words); err != nil {
		return err
	}
	if len(words) < 2 {
		return d.Errf("claim needs a name and at least one value: claim %s VALUE%s", words[0], unset)
	}
	if err := oidc.CheckKept(words[0]); err != nil {
		return d.WrapErr(err)
	}
	if _, ok := u.Claims[words[0]]; ok {
		return d.Errf("claim %s is given twice; write its values after one another", words[0])
	}
	if u.Claims == nil {
		u.Claims = make(map[string][]string)
	}
	u.Claims[words[0]] = words[1:]
	return nil
}

// keptClaims implements [claimKeeper].
func (l *Local) keptClaims() []string {
	var names []string
	for _, u := range l.Users {
		names = slices.AppendSeq(names, maps.Keys(u.Claims))
	}
	return names
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Local)(nil)
	_ caddyfile.Unmarshaler = (*Local)(nil)
	_ ProviderModule        = (*Local)(nil)
)

package openid

import (
	"sync"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/text/language"
)

// users is the provider's list of users.
type users struct {
	mu   sync.Mutex
	byID map[string]storage.User
}

func newUsers() *users {
	return &users{byID: map[string]storage.User{
		"id-alice": {
			ID: "id-alice", Username: "alice", Password: Password, FirstName: "Alice", LastName: "Liddell",
			Email: "alice@example.com", EmailVerified: true, PreferredLanguage: language.English,
		},
		"id-bob": {
			ID: "id-bob", Username: "bob", Password: Password, FirstName: "Bob", LastName: "Dodgson",
			Email: "bob@example.net", EmailVerified: true, PreferredLanguage: language.English,
		},
	}}
}

func (*users) ExampleClientID() string { return "service" }

func (u *users) GetUserByID(id string) *storage.User {
	u.mu.Lock()
	defer u.mu.Unlock()
	user, ok := u.byID[id]
	if !ok {
		return nil
	}
	return &user
}

func (u *users) GetUserByUsername(name string) *storage.User {
	return u.GetUserByID("id-" + name)
}

// SetEmail gives a user another verified address.
func (p *Provider) SetEmail(user, email string) {
	p.users.mu.Lock()
	defer p.users.mu.Unlock()
	changed := p.users.byID["id-"+user]
	changed.Email = email
	p.users.byID["id-"+user] = changed
}

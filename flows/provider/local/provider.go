package local

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Issuer is the issuer of every local user's identity. There can be one local
// provider only: a second one's "alice" would be the same identity.
const Issuer = "local"

// Config of a Provider.
type Config struct {
	// Name of the provider block. Required.
	Name string
	// Title shown to people. Default: "Password".
	Title string
	// Users who can sign in.
	Users []User
	// Queue for the hashes. Default: one of the provider's own.
	Queue *Queue
	// Now is the clock. Required.
	Now func() time.Time
	// Logger for what an operator must mend. Default: none.
	Logger *slog.Logger
}

// Provider signs in local users.
type Provider struct {
	name, title string
	users       map[string]*User
	decoys      []*User // all users, in the order of the configuration
	decoyKey    []byte
	queue       *Queue
	now         func() time.Time
	logger      *slog.Logger
}

// New checks the configuration.
func New(c Config) (*Provider, error) {
	if c.Name == "" || c.Now == nil {
		return nil, errors.New("a local provider needs a name and a clock")
	}
	p := &Provider{
		name: c.Name, title: c.Title, queue: c.Queue, now: c.Now, logger: c.Logger,
		users: make(map[string]*User, len(c.Users)),
	}
	if p.title == "" {
		p.title = "Password"
	}
	if p.queue == nil {
		p.queue = NewQueue(0, 0, 0)
	}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	hashes := sha256.New()
	for _, u := range c.Users {
		if err := u.validate(); err != nil {
			return nil, err
		}
		if p.users[u.Name] != nil {
			return nil, fmt.Errorf("user %s is listed twice", u.Name)
		}
		u.Groups = slices.Clone(u.Groups)
		u.fingerprint = fingerprint(u.Name, u.PasswordHash)
		p.users[u.Name] = &u
		p.decoys = append(p.decoys, &u)
		hashes.Write([]byte(u.PasswordHash))
	}
	p.decoyKey = hashes.Sum(nil)
	return p, nil
}

// Name of the provider block.
func (p *Provider) Name() string { return p.name }

// Title shown to people.
func (p *Provider) Title() string { return p.title }

// Issuer is "local".
func (p *Provider) Issuer() string { return Issuer }

// Authenticate checks a password. Errors: ErrCredentials, ErrBusy.
func (p *Provider) Authenticate(ctx context.Context, username, password string) (identity.Claims, error) {
	// Nobody can have such a name, so that a quick answer gives nothing away.
	if !validName(username) || len(p.users) == 0 {
		return identity.Claims{}, provider.ErrCredentials
	}
	if err := p.queue.enter(ctx); err != nil {
		return identity.Claims{}, err
	}
	defer p.queue.leave()

	u, known := p.users[username]
	if !known {
		u = p.decoy(username)
	}
	ok, err := u.compare(password)
	if err != nil {
		p.logger.ErrorContext(ctx, "checking a password", slog.String("provider", p.name),
			slog.String("user", u.Name), slog.Any("error", err))
	}
	if !ok || !known {
		return identity.Claims{}, provider.ErrCredentials
	}
	c := p.claims(u)
	c.AuthTime = p.now()
	c.AMR = []string{"pwd"} // RFC 8176
	return c, nil
}

// decoy is the user whose hash an unknown name is compared with: of the same
// kind and cost as that of somebody real, and the same for a name at each
// attempt and on each node, as a real user's would be.
func (p *Provider) decoy(username string) *User {
	mac := hmac.New(sha256.New, p.decoyKey)
	mac.Write([]byte(username))
	n := binary.BigEndian.Uint64(mac.Sum(nil))
	return p.decoys[n%uint64(len(p.decoys))]
}

// Current returns the claims as the configuration has them now. ErrGone for a
// user who is not in it, and for one whose password hash is another by now than
// at the sign-in: whoever had the former password must not stay, and a user who is
// made anew under a name inherits nothing. Claims without a fingerprint are from
// before there were any, and get the one of now.
func (p *Provider) Current(c identity.Claims) (identity.Claims, error) {
	u, known := p.users[c.ID]
	if !known || c.Issuer != Issuer || c.Credential != "" && c.Credential != u.fingerprint {
		return identity.Claims{}, provider.ErrGone
	}
	now := p.claims(u)
	now.AuthTime, now.ACR, now.AMR, now.Levels = c.AuthTime, c.ACR, c.AMR, c.Levels
	return now, nil
}

func (p *Provider) claims(u *User) identity.Claims {
	return identity.Claims{
		Provider: p.name, Issuer: Issuer, ID: u.Name, User: u.Name,
		Email: u.Email, EmailVerified: u.Email != "",
		Name: u.Title, Groups: slices.Clone(u.Groups), Credential: u.fingerprint, Extra: u.extra(),
	}
}

// IDs are the users' names, in the order of the configuration.
func (p *Provider) IDs() []string {
	ids := make([]string, 0, len(p.decoys))
	for _, u := range p.decoys {
		ids = append(ids, u.Name)
	}
	return ids
}

var (
	_ provider.Password = (*Provider)(nil)
	_ provider.Current  = (*Provider)(nil)
	_ provider.Lister   = (*Provider)(nil)
)

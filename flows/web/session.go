package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// How many cookies of our name one request may hold: of any kind, and such that
// name a session.
const (
	MaxTossed  = 200
	MaxLookups = 4
)

// Sessions tells who session handles belong to.
type Sessions interface {
	Authenticate(ctx context.Context, client, handle string) (*identity.Identity, error)
}

// FromCookies tries each cookie of the name: the valid one wins.
func FromCookies(ctx context.Context, sessions Sessions, h http.Header, name, client string) (*identity.Identity, error) {
	var found *identity.Identity
	failure := session.ErrNoSession
	tries, lookups := 0, 0
	EachCookie(h, name, func(value string) bool {
		// A sub-domain can send many, of which looking up the well-made ones
		// would be its weapon. Junk is told by its MAC and masks nothing.
		if tries++; tries > MaxTossed || lookups == MaxLookups {
			return true
		}
		id, err := sessions.Authenticate(ctx, client, value)
		if !errors.Is(err, session.ErrForged) {
			lookups++
		}
		if err == nil {
			found = id
			return true
		}
		if errors.Is(err, session.ErrUnavailable) {
			failure = err
		}
		return false
	})
	if found != nil {
		return found, nil
	}
	return nil, failure
}

package flows

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A client that signs a person out names its session by id_token_hint. If that came
// from the sign-in that this browser holds, there is nothing to ask: both the browser
// and the client say the same. Of any other hint, or none, the person is asked first,
// as OpenID Connect RP-Initiated Logout, section 2, has it.

// named is the client's session that a request to sign out names, if it is the
// person's own; nil if there is none.
func (g *Gateway) named(ctx context.Context, id *identity.Identity, asked logoutRequest) (*tokenstore.Session, error) {
	session, err := uuid.Parse(asked.Session)
	if err != nil || id == nil || asked.Subject != id.Subject {
		return nil, nil //nolint:nilnil,nilerr // it names nobody's session, or another person's
	}
	row, err := g.Store.Session(ctx, session)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil, nil //nolint:nilnil // it has long ended
	case err != nil:
		return nil, err
	case row.Subject != id.Subject || row.ClientID != asked.Client:
		return nil, nil //nolint:nilnil // no hint of ours says so
	}
	return &row, nil
}

// isOfThisSignIn reports whether a session came from what is one sign-in to the person
// in this browser.
func (g *Gateway) isOfThisSignIn(ctx context.Context, id *identity.Identity, row *tokenstore.Session) (bool, error) {
	if row == nil {
		return false, nil
	}
	switch from := g.Sessions.From(*row); from {
	case uuid.Nil:
		return false, nil
	case id.SessionID:
		return true, nil
	default:
		signIns, err := g.Sessions.SignIns(ctx, id.SessionID)
		return slices.Contains(signIns, from), err
	}
}

// endNamed ends the client's own session that the hint names, where that does not end
// with the sign-in anyway: offline access, or a session of another sign-in.
func (g *Gateway) endNamed(ctx context.Context, row *tokenstore.Session) error {
	if row == nil || !row.RevokedAt.IsZero() {
		return nil
	}
	return g.signouts.EndOne(ctx, *row)
}

// acts reports whether a request is one that a person makes now. A browser that
// fetches ahead does so before anybody has clicked.
func acts(r *web.Request) bool { return r.Method != http.MethodHead && !web.IsPrefetch(r.Header) }

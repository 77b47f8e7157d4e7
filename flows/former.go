package flows

import (
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// formerSignIn is the sign-in whose handle a browser holds when it signs in
// again: because a client asked for it (prompt, max_age), to choose another
// account, or after the sign-in was idle for too long and its sites were not. The
// new handle takes the old one's place, and nobody could sign out any more what
// came from that.
//
// If it is the same person, the new sign-in renews the former: that goes on, so
// that no request of a site fails, and a sign-out anywhere ends both. If it is
// another person, the former is signed out, before the new one is let in.
type formerSignIn struct {
	session uuid.UUID // zero: none
	isLive  bool
	claims  identity.Claims
}

// isOf reports whether the claims are those of the same person.
func (f formerSignIn) isOf(c identity.Claims) bool {
	return f.session != uuid.Nil && f.claims.Issuer == c.Issuer && f.claims.ID == c.ID
}

// began is the time in the id of a session.
func began(id uuid.UUID) time.Time { return time.Unix(id.Time().UnixTime()) }

// formerSignIn finds it by the request's cookies: one that is known here without
// I/O. Error: [session.ErrUnavailable].
func (g *Gateway) formerSignIn(r *web.Request, cookie, client string) (formerSignIn, error) {
	name := web.SessionCookieName(cookie, r.Secure())
	id, err := web.FromCookies(r.Context(), g.Sessions, r.Header, name, client)
	switch {
	case err == nil:
		return formerSignIn{session: id.SessionID, isLive: true, claims: id.Claims}, nil
	case errors.Is(err, session.ErrUnavailable):
		return formerSignIn{}, err
	}
	var found formerSignIn
	tries, lookups := 0, 0
	web.EachCookie(r.Header, name, func(value string) bool {
		if tries++; tries > web.MaxTossed || lookups == web.MaxLookups {
			return true
		}
		h, parsing := handle.ParseSession(g.Keyring, value)
		if parsing != nil {
			return false // not one of ours
		}
		lookups++
		row, claims, looking := g.Sessions.Lookup(r.Context(), h.ID)
		switch {
		case errors.Is(looking, session.ErrUnavailable):
			err = looking
			return true
		case looking != nil, row.ClientID != client, !equal(row.SecretHash, h.SecretHash()), !row.Now.Before(row.ExpiresAt):
			return false // all that came from it has ended, too
		}
		// One that was ended by itself may have renewed another, which goes on.
		found = formerSignIn{session: row.ID, claims: claims}
		return true
	})
	if errors.Is(err, session.ErrUnavailable) {
		return formerSignIn{}, err
	}
	return found, nil
}

// endFormer signs out whoever was signed in before in this browser, though the
// client hang up meanwhile. This is not left for later: who sits there now must
// not find the other's sites open.
func (g *Gateway) endFormer(r *web.Request, f formerSignIn) error {
	if f.session == uuid.Nil {
		return nil
	}
	ctx, cancel := web.Detached(r.Context())
	defer cancel()
	if err := g.signouts.EndSession(ctx, f.session); err != nil {
		return err
	}
	g.Logger.InfoContext(ctx, "signed out, since somebody else signed in", "user", f.claims.User, "session", f.session.String())
	g.Events(ctx, "logout", slog.String("user", f.claims.User), slog.String("reason", "replaced"))
	return nil
}

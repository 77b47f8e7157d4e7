package flows_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A live session says who somebody is, however many newer ones have ended.
func TestAway_EndedSessionsDoNotHideTheLiveOne(t *testing.T) {
	p := newPilots(t, func(id *identity.Identity) bool { return id.Name != "Left" }, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "allow", "Allowed by you")
	rows, err := p.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: ann})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := p.gateway.Sessions.Claims(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 50 { // some weeks of sign-ins, each of which ended
		p.clock.advance(time.Second)
		s, err := p.gateway.Sessions.SignIn(t.Context(), session.Start{ClientID: "app.sites.test", Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.gateway.Sessions.Revoke(t.Context(), s.Identity.SessionID); err != nil {
			t.Fatal(err)
		}
	}
	claims.Name = "Left"
	if n, err := p.gateway.Sessions.Reclaim(t.Context(), ann, claims); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	p.refuses("who has left, as their live session says", p.asks(ann), "interaction_required")
}

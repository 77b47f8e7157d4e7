package flows

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// unfinished answers a sign-in that a store which is down keeps from its end.
// Nothing of it is lost: again is where it goes on, and the browser keeps what
// it needs for that.
func (g *Gateway) unfinished(w http.ResponseWriter, r *Request, err error, again string) {
	g.Logger.WarnContext(r.Context(), "a sign-in cannot be finished now", "error", err)
	noStore(w)
	w.Header().Set("Retry-After", "5")
	if callerOf(r.Request) != callerNavigation {
		problem(w, http.StatusServiceUnavailable, "The sign-in cannot be finished right now; try again in a few seconds.", nil)
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusServiceUnavailable, page.Fault{
		Title:      "Temporarily unavailable",
		Message:    "We can't reach our database, so your sign-in isn't finished yet. Nothing is lost. Try again in a few seconds.",
		Detail:     "temporarily_unavailable",
		RetryURL:   again,
		RetryLabel: "Try again",
	})
}

// interrupted answers a client's request that a store which is down keeps from its
// code. pending is the flow that a sign-in at a provider went through, or uuid.Nil.
func (g *Gateway) interrupted(w http.ResponseWriter, r *Request, at place, a authRequest, pending uuid.UUID, err error) {
	switch {
	case pending != uuid.Nil:
		// The provider's code is spent, and a reload of its answer would present it
		// again. The person is signed in here, and goes on from that.
		g.Logger.WarnContext(r.Context(), "a sign-in goes on without its flow", "error", err)
		seeOther(w, r, g.retryURL(at, a))
	case r.Method == http.MethodGet:
		g.unfinished(w, r, err, r.URI)
	default:
		g.unfinished(w, r, err, g.retryURL(at, a))
	}
}

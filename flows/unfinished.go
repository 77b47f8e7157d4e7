package flows

import (
	"net/http"

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

package flows

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// interrupted answers a client's request that a store which is down keeps from its
// code. pending is the flow that a sign-in at a provider went through, or uuid.Nil.
func (g *Gateway) interrupted(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, pending uuid.UUID, err error) {
	switch {
	case pending != uuid.Nil:
		// The provider's code is spent, and a reload of its answer would present it
		// again. The person is signed in here, and goes on from that.
		g.Logger.WarnContext(r.Context(), "a sign-in goes on without its flow", "error", err)
		web.SeeOther(w, r, g.retryURL(at, a))
	case r.Method == http.MethodGet:
		g.answers.Unfinished(w, r, err, r.URI)
	default:
		g.answers.Unfinished(w, r, err, g.retryURL(at, a))
	}
}

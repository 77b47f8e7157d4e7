package flows

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// defaultBodyTimeout is how long the body of a request to our own URLs may take.
const defaultBodyTimeout = 10 * time.Second

// LimitBody is [web.LimitBody] with [Config.BodyTimeout].
func (g *Gateway) LimitBody(w http.ResponseWriter, r *http.Request) {
	web.LimitBody(w, r, g.BodyTimeout)
}

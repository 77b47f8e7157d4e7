package flows

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

type oauthError = oautherror.Error

func invalid(code, description string) *oauthError { return oautherror.Invalid(code, description) }

func invalidGrant() *oauthError { return oautherror.InvalidGrant() }

// oauthErrorOf turns what a store, the cache or a check answered into the
// error of the RFC. Nothing that a client sends is a 500.
func (g *Gateway) oauthErrorOf(r *http.Request, err error) *oauthError {
	var known *oauthError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, client.ErrClient):
		return &oauthError{Code: "invalid_client", Description: err.Error(), Status: http.StatusUnauthorized}
	case errors.Is(err, client.ErrRequest):
		return invalid("invalid_request", "the client is named or authenticated in more than one way")
	case errors.Is(err, client.ErrAssertionType):
		return invalid("invalid_request", client.ErrAssertionType.Error())
	case errors.Is(err, client.ErrScope):
		return invalid("invalid_scope", "the scope is malformed or exceeds what the client may ask for")
	case errors.Is(err, accesstoken.ErrProof):
		return invalid("invalid_dpop_proof", "the DPoP proof is missing or not valid")
	case errors.Is(err, client.ErrBusy):
		return &oauthError{Code: "temporarily_unavailable", Description: "many secrets are being checked, try again in a few seconds", Status: http.StatusServiceUnavailable, RetryAfter: "2"}
	case errors.Is(err, cache.ErrFull):
		return &oauthError{Code: "temporarily_unavailable", Description: err.Error(), Status: http.StatusTooManyRequests, RetryAfter: "60"}
	case oautherror.IsAway(err): // whatever else it says
	case oautherror.IsVerdict(err):
		return invalidGrant()
	case errors.Is(err, tokenstore.ErrInvalid), errors.Is(err, cache.ErrInvalid):
		return invalid("invalid_request", "a parameter is too long or malformed")
	}
	g.cannotServe(r.Context(), err)
	return &oauthError{Code: "temporarily_unavailable", Description: "try again in a few seconds", Status: http.StatusServiceUnavailable, RetryAfter: "5"}
}

// cannotServe logs why a client is told to try again. What no part of the gateway
// has foreseen is a fault that somebody must look into; that a client has left is
// none. The errors hold no secret: the stores and the cache never see one.
func (g *Gateway) cannotServe(ctx context.Context, err error) {
	level, message := slog.LevelWarn, "token request cannot be served"
	switch {
	case ctx.Err() != nil:
		level = slog.LevelDebug
	case !oautherror.IsAway(err):
		level, message = slog.LevelError, "token request failed for a reason that is not known"
	}
	g.Logger.Log(ctx, level, message, "error", err)
}

// writeOAuthError answers with an error in JSON.
func (g *Gateway) writeOAuthError(w http.ResponseWriter, r *http.Request, err error) {
	e := *g.oauthErrorOf(r, err)
	reference := g.newReference()
	g.logRefusal(r, levelOfError(e.Code, false), claimedClient(r), e.Code, cause(r.Context(), err), reference)
	e.Description = withReference(e.Description, reference)
	h := w.Header()
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="gatehouse"`)
	}
	if e.RetryAfter != "" {
		h.Set("Retry-After", e.RetryAfter)
	}
	writeJSON(w, e.Status, e)
}

// writeJSON answers with JSON that nobody may keep.
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache") // RFC 6749, section 5.1
	h.Set("X-Content-Type-Options", "nosniff")
	encoded := append(marshal(body), '\n')
	h.Set("Content-Length", strconv.Itoa(len(encoded))) // what holds two tokens would be sent in chunks
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}

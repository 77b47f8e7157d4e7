package flows

import (
	"context"
	"encoding/base32"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// levelOfError is that of the line about an error: the ones that clients meet in their
// ordinary course are for debugging. Those are a device that polls, and a page that asks
// silently; a program that is told interaction_required at the token endpoint cannot go on.
func levelOfError(code string, atPage bool) slog.Level {
	switch code {
	case "authorization_pending", "slow_down":
		return slog.LevelDebug
	case "login_required", "consent_required", "interaction_required":
		if atPage {
			return slog.LevelDebug
		}
	}
	return slog.LevelInfo
}

// logRefusal writes the line by which an operator finds out why a client was refused:
// who, what and why, with the reference that the client was told. The errors hold no
// secret: the stores and the cache never see one.
func (g *Gateway) logRefusal(r *http.Request, level slog.Level, clientID, code, reason, reference string, more ...any) {
	attributes := append([]any{"client_id", clientID, "error", code, "reason", reason, "reference", reference, "endpoint", r.URL.Path, "cure", cureOfError(code)}, more...)
	g.Logger.Log(r.Context(), level, "a client was refused", attributes...)
}

// cureOfError is what an operator can do about an error of the standards.
func cureOfError(code string) string {
	switch code {
	case "invalid_client":
		return "compare how the client authenticates (id, secret or key) with its block"
	case "invalid_grant":
		return "the client begins anew; if it always happens, it redeems a code or token twice, late, or as another client"
	case "invalid_scope":
		return "list the scope in the client's block, or have the client ask for less"
	case "invalid_target":
		return "list the resource in the client's block, or have the client ask for one that it was granted"
	case "unauthorized_client":
		return "list the grant in the client's block"
	case "access_denied":
		return "the person, the provider or the rules refused: see the line about the user beside this one"
	case "temporarily_unavailable", "server_error":
		return "see the warnings beside this line"
	case "slow_down", "authorization_pending":
		return "nothing: the client waits and asks again"
	}
	return "the client's request is at fault: see the reason"
}

// newReference names one refusal, in the answer and in the log.
func (g *Gateway) newReference() string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(g.Keyring.Random(10)))
}

// withReference is a description that ends with a reference.
func withReference(description, reference string) string {
	return strings.TrimPrefix(description+" (reference "+reference+")", " ")
}

// claimedClient is the client that a request to the token endpoint or its kin names,
// whether or not it is that client's.
func claimedClient(r *http.Request) string {
	id := r.PostForm.Get("client_id")
	if id == "" {
		id, _, _ = client.ParseBasic(r.Header.Get("Authorization"))
	}
	if id == "" {
		id = client.AssertedID(r.PostForm.Get("client_assertion"))
	}
	return shortened(id)
}

// refuseClient sends the browser back to the client with an error. Of a client that
// registered itself nobody knows whether its address is more than a trap, and a page says
// it: else we would lead people there at anybody's request (RFC 9700, section 4.11.2).
func (g *Gateway) refuseClient(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, code, description string) {
	reference := g.newReference()
	g.logRefusal(r.Request, levelOfError(code, true), a.Client, code, description, reference, "redirect_uri", a.RedirectURI, "client_ip", r.ClientIP)
	if g.isSelfRegistered(a.Client) {
		g.agentFault(w, r, code, description, reference)
		return
	}
	g.toClient(w, r, at, a, g.errorAnswer(at, a, code, withReference(description, reference)))
}

// refuseByPerson sends the browser back to the client, for the person who was asked has
// seen where that is.
func (g *Gateway) refuseByPerson(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest) {
	const code, description = "access_denied", "the person refused"
	reference := g.newReference()
	g.logRefusal(r.Request, levelOfError(code, true), a.Client, code, description, reference, "redirect_uri", a.RedirectURI, "client_ip", r.ClientIP)
	g.toClient(w, r, at, a, g.errorAnswer(at, a, code, withReference(description, reference)))
}

// cause is what an error says, where the client is told less.
func cause(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "the client has left: " + err.Error()
	}
	return err.Error()
}

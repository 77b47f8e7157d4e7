package flows

import (
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Who goes back in the browser's history signs in at the provider once more, or sends
// its answer again, for a sign-in that has ended. Nothing of that answer is looked at.
// But what the sign-in was for is noted with its flow, and whoever it signed in, and
// is still signed in, is led there.

// destination is what a sign-in that has ended was for.
type destination struct {
	Request authRequest `json:"r"`
	// Subject whom it signed in; "" if nobody.
	Subject string `json:"s,omitempty"`
}

func (g *Gateway) noteOf(key string, a authRequest, subject string) []byte {
	return sealed.Seal(g.Keyring, "flow destination", []byte(key), destination{Request: a, Subject: subject})
}

// destinationOf reads the note of a flow; false if there is none.
func (g *Gateway) destinationOf(f cache.Flow) (destination, bool) {
	d, err := sealed.Open[destination](g.Keyring, "flow destination", []byte(f.Key), f.Note)
	return d, err == nil
}

// giveUp ends a sign-in that was refused. What it was for is kept for whoever sends
// the answer again.
func (g *Gateway) giveUp(r *web.Request, key string, a authRequest) {
	_, err := g.Cache.AdvanceFlow(r.Context(), cache.Transition{
		Key: key, From: cache.Pending, To: cache.Error, Owner: web.AddressKey(r.ClientIP), Note: g.noteOf(key, a, ""),
	})
	if err != nil {
		g.Logger.InfoContext(r.Context(), "the end of a sign-in could not be noted", "error", err)
	}
}

// conclude ends the flow that a sign-in went through, if it went through one, where it
// goes on without: it would count under its owner's cap until it expires.
func (g *Gateway) conclude(r *web.Request, pending uuid.UUID, a authRequest, subject string) {
	if pending == uuid.Nil {
		return
	}
	key := authcode.Key(pending)
	_, err := g.Cache.AdvanceFlow(r.Context(), cache.Transition{
		Key: key, From: cache.Pending, To: cache.Done, Owner: web.AddressKey(r.ClientIP), Note: g.noteOf(key, a, subject),
	})
	if err != nil {
		g.Logger.InfoContext(r.Context(), "the end of a sign-in could not be noted", "error", err)
	}
}

// finishedAlready answers a browser that comes back with the answer to a sign-in of
// its own that has ended.
func (g *Gateway) finishedAlready(w http.ResponseWriter, r *web.Request, at web.Issuer, stored cache.Flow) {
	d, known := g.destinationOf(stored)
	if !known {
		g.badCallback(w, r, at, "This sign-in was finished already.")
		return
	}
	id, ok := g.whoIsHere(w, r, at)
	switch {
	case !ok:
	case id != nil && id.Subject == d.Subject:
		g.leadOn(w, r, at, d.Request, id)
	default:
		g.badCallbackFor(w, r, at, "This sign-in has ended already.", g.retryURL(at, d.Request))
	}
}

// callbackWithoutAttempt is withoutAttempt for an answer of a provider. Whoever is
// signed in is led to where their own sign-in was for.
func (g *Gateway) callbackWithoutAttempt(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt) {
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	if id == nil {
		g.withoutAttempt(w, r, at, try)
		return
	}
	stored, err := g.Cache.Flow(r.Context(), flowKey(try))
	if errors.Is(err, cache.ErrUnavailable) {
		g.answers.Unfinished(w, r, err, r.URI)
		return
	}
	if d, known := g.destinationOf(stored); known && d.Subject == id.Subject {
		g.leadOn(w, r, at, d.Request, id)
		return
	}
	g.badCallback(w, r, at, "This sign-in was started in another browser.")
}

// leadOn does once more what a sign-in was for. A client that asked for a new sign-in
// gets one, unless it was that which this session began with.
func (g *Gateway) leadOn(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, id *identity.Identity) {
	if a.RedirectURI != "" && !g.recentEnough(&a, id.AuthTime) {
		g.offer(w, r, at, a, "")
		return
	}
	g.carryOn(w, r, at, a, session.Started{Identity: id}, uuid.Nil)
}

// withoutAttempt answers somebody who comes back from a sign-in without its cookie.
// Only a browser that was given one lately, and sends none of ours, is told to keep
// cookies.
func (g *Gateway) withoutAttempt(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt) {
	switch age := g.age(try); {
	case age > web.FlowValidity:
		g.badCallback(w, r, at, "This sign-in took longer than ten minutes and has expired.")
	case age < -providerSkew, sendsOurCookies(r.Request):
		g.badCallback(w, r, at, "This sign-in was started in another browser, or it has ended.")
	default:
		g.noCookies(w, r, at)
	}
}

// sendsOurCookies reports whether a browser keeps cookies of ours.
func sendsOurCookies(r *http.Request) bool {
	for _, c := range r.Cookies() {
		if web.Ours(c.Name) {
			return true
		}
	}
	return false
}

// elsewhere is where a person begins again what a request that is too old was for.
func (g *Gateway) elsewhere(at web.Issuer, a authRequest) string {
	switch {
	case a.Client == "":
		return at.Beginning()
	case a.forSite() && at.IsPortal:
		return a.ReturnTo
	case a.forSite():
		return web.LoginPath(a.ReturnTo)
	case a.Device != "":
		return at.Path + "device"
	case g.isSite(a.Client, a.RedirectURI):
		return strings.TrimSuffix(a.RedirectURI, web.Prefix+"callback") + "/"
	}
	return at.Beginning()
}

// startOver is the page for a sign-in whose page is too old or not ours.
func (g *Gateway) startOver(w http.ResponseWriter, r *web.Request, at web.Issuer, reason string) {
	g.startOverFor(w, r, at, authRequest{}, reason)
}

// startOverFor is startOver where it is known, perhaps, what the sign-in was for.
func (g *Gateway) startOverFor(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, reason string) {
	g.Logger.InfoContext(r.Context(), "a page of ours was answered too late, or is not of this browser; the person begins again",
		"reason", reason, "client_id", a.Client, "host", r.Host, "path", r.Path(), "client_ip", r.ClientIP,
		"cure", "nothing, if it is rare; if it happens to everybody: nodes need the same secret and clock, and proxies may not cut the query or the form")
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title:   "Please start again",
		Message: "This sign-in page has been open too long, or its address is incomplete.",
		Detail:  "invalid_request", RetryURL: g.elsewhere(at, a), RetryLabel: "Start again",
	})
}

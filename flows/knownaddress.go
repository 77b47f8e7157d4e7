package flows

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const addressLabel = "address of an identity"

// newAccount is the parameter by which somebody says that they want an account of their
// own, though the address is known.
const newAccount = "new_account"

// noteAddress remembers who has a verified address, for those who come by another
// provider later.
func (g *Gateway) noteAddress(r *web.Request, id *identity.Identity) {
	email := id.VerifiedEmail()
	if len(g.LinkByEmail) == 0 || email == "" {
		return
	}
	at := tokenstore.Identity{Issuer: id.Issuer, Subject: id.ID}
	if err := g.Store.SetIdentityEmail(r.Context(), at, g.Keyring.MAC(addressLabel, []byte(email))); err != nil {
		g.Logger.WarnContext(r.Context(), "an address could not be noted; the person is offered no link by it", "provider", id.Provider, "error", err)
	}
}

// offerLink asks somebody who is new here, and has a verified address, whether they have
// an account already. It reports whether it has asked. Nothing is decided by the address:
// who says yes signs in to that account, and then at this provider again. Everybody is
// asked the same, whether or not the address is known: what a provider takes for verified
// is its own affair, and nobody is to find out by it who has an account here. Only the
// event says so.
func (g *Gateway) offerLink(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key string, p provider.Redirect) bool {
	claims := &flow.Verified.Claims
	email := claims.VerifiedEmail()
	if !slices.Contains(g.LinkByEmail, p.Name()) || email == "" || strings.Contains(r.URI, "&"+newAccount+"=1") {
		return false
	}
	_, err := g.Store.FindSubject(r.Context(), tokenstore.Identity{Issuer: claims.Issuer, Subject: claims.ID})
	if err == nil {
		return false // no newcomer
	}
	known := false
	if errors.Is(err, tokenstore.ErrNotFound) {
		known, err = g.Store.HasIdentityEmail(r.Context(), g.Keyring.MACs(addressLabel, []byte(email)))
	}
	switch {
	case err != nil:
		g.answers.Unfinished(w, r, err, g.retryURL(at, flow.Request))
		return true
	case !g.keepVerified(r.Context(), key, flow):
		g.answers.Unavailable(w, r, errors.New("what the provider said could not be kept"))
		return true
	}
	g.Events(r.Context(), "link_offered", slog.String("provider", p.Name()), slog.Bool("known", known))
	returnTo := ""
	if flow.Request.forSite() {
		returnTo = flow.Request.ReturnTo
	}
	g.Pages.Known(w, r.Request, http.StatusOK, page.Known{
		Provider: p.Title(),
		LinkURL:  web.LinkPath(at, p.Name(), "", returnTo), NewURL: r.URI + "&" + url.Values{newAccount: {"1"}}.Encode(),
	})
	return true
}

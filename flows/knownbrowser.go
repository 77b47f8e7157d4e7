package flows

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// knownFor is how long a browser is remembered.
const knownFor = 365 * 24 * time.Hour

// knownBrowser is what a browser keeps of who signed in with it, sealed. What
// strangers do, to a user name or from an address, then keeps that person out of
// nothing. It lets nobody in.
type knownBrowser struct {
	// User name, if that was by a password here.
	User   string `json:"u,omitempty"`
	Device string `json:"d"`
	Since  int64  `json:"t"`
	// Subject is missing where it was written before 2026-12.
	Subject string `json:"s,omitempty"`
}

// remember marks the browser as one that somebody has signed in with.
func (g *Gateway) remember(w http.ResponseWriter, at web.Issuer, username, subject string) {
	known := knownBrowser{User: username, Device: encode(g.Keyring.Random(12)), Since: g.Now().Unix(), Subject: subject}
	web.SetPathCookie(w, at, web.KnownCookie, sealed.SealString(g.Keyring, "known browser", []byte(at.ID()), known), knownFor)
}

// rememberOnce is remember for a sign-in at a provider, unless the browser has a mark
// that is good for half of its time yet: that of a user name counts for more.
func (g *Gateway) rememberOnce(w http.ResponseWriter, r *web.Request, at web.Issuer, subject string) {
	if b, ok := g.knownBrowser(r, at); ok && g.Now().Sub(time.Unix(b.Since, 0)) < knownFor/2 {
		return
	}
	g.remember(w, at, "", subject)
}

// knownBrowser reads the browser's mark.
func (g *Gateway) knownBrowser(r *web.Request, at web.Issuer) (knownBrowser, bool) {
	cookie := web.PathCookie(r.Request, at, web.KnownCookie)
	if cookie == "" {
		return knownBrowser{}, false
	}
	b, err := sealed.OpenString[knownBrowser](g.Keyring, "known browser", []byte(at.ID()), cookie)
	if err != nil {
		return knownBrowser{}, false
	}
	return b, g.Now().Sub(time.Unix(b.Since, 0)) <= knownFor
}

// known returns the mark's device if the browser is this user's, else "".
func (g *Gateway) known(r *web.Request, at web.Issuer, username string) string {
	b, ok := g.knownBrowser(r, at)
	if !ok || b.User != username || username == "" {
		return ""
	}
	return b.Device
}

// knownPerson is who has signed in with the browser before, or "".
func (g *Gateway) knownPerson(r *web.Request, at web.Issuer) string {
	b, ok := g.knownBrowser(r, at)
	switch {
	case !ok:
		return ""
	case b.Subject == "":
		return "user " + b.User
	}
	return b.Subject
}

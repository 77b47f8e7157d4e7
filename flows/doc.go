// Package flows is what Gatehouse is about: who comes to a guarded site, how a
// person signs in, and how one sign-in serves many sites. It knows no Caddy, no
// SQL and no Redis: a [Gateway] is given its stores, its providers and its
// pages, and speaks plain net/http.
//
// Two kinds of places exist. At an issuer (the portal, or, without a
// configured issuer, each guarded site for itself) people sign in. At a guarded
// site a session cookie opens the door; where the portal is elsewhere, the site
// is its client and gets the sign-in handed over by an authorization code that
// is bound to the site, to the browser and to a PKCE verifier (RFC 7636).
package flows

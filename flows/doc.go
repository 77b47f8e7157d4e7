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
//
// The words that the code uses beside those of the RFCs:
//
//   - site: an origin that a guard protects. It is a client of the portal, its host name
//     the client id.
//   - portal: the issuer that all sites share, where one is configured.
//   - at: the issuer whose endpoint answers a request.
//   - attempt: one try to sign in, from one browser, known by a cookie of its own.
//   - flow: what the cache keeps of an attempt, a code or a device code under one key.
//     It goes from pending to ready to done, or to error, each step once.
//   - hand-over: the code by which the portal gives a sign-in to a site.
//   - sign-in: the portal's session, which others come from and end with.
//   - family: all refresh tokens of one session, of which one is current.
//   - note: what a flow leaves when it is done, so that used and unknown differ.
//   - identity: the claims of somebody, and the session or token that shows them.
//   - rule: a line of a policy. Somebody is ruled out if it refuses them.
//   - step: what a site demands of somebody beyond a sign-in (RFC 9470).
//   - owner: whoever a flow counts for, by address or person, under the cache's caps.
//   - recheck: the question to a provider whether it still knows somebody.
package flows

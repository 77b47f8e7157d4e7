// Package session keeps people signed in: it hands out session handles, knows
// who a handle belongs to, and stops knowing it when the session ends.
//
// [Manager] holds what it has seen in a bounded table in memory, so that a
// request whose session this node knows costs neither I/O nor a signature
// check. The table is only a cache of the token store and follows three rules:
//
//   - What was announced as revoked is gone at once, also from loads that
//     began before.
//   - Nothing is served for longer than Settings.Interval without asking the
//     store, as long as that answers. One query asks for all that is due.
//   - While the store does not answer, what is known is served until
//     Settings.ServeStale after it was last asked for, what is not known is
//     ErrUnavailable, and nobody is signed out.
//
// # Time
//
// A session ends at its absolute end (Lifetime), whatever happens, and earlier if it is
// not used for as long as Idle. One rule says what is use, and of what:
//
//   - A request that a session vouches for, by its handle or by an access token that
//     names it, is use of that session: [Manager.Authenticate], [Manager.Live]. So is a
//     stream for as long as it runs ([Manager.Watch]), and a refresh.
//   - Use of a session is use of the sign-in that it came from. Whoever works at one
//     site opens the next without a password. The reverse does not hold: a site that
//     nobody uses goes idle, and is opened again by the sign-in.
//   - A session that outlives its sign-in (offline access: [Start].Detached) prolongs
//     nothing but itself. A program that refreshes in the night keeps no browser
//     signed in.
//   - A refresh is also a reason to ask the provider again who its user is, as a request
//     is: who is closed there mints no tokens for longer than the recheck interval.
//   - A refresh token that comes once more gets the same successor within the grace (30 s,
//     a client's refresh_grace), and nothing is prolonged by that. Later a client that
//     proves itself, by a secret, a key or DPoP, still gets it, as long as nobody has used
//     the successor: that is no use either. For everybody else, and once the successor was
//     used, it is reuse and ends the family (RFC 9700, section 4.14.2). See
//     [tokenstore.Rotation].
//
// The row learns of a use when what it knows is older by a tenth of Idle, or an hour;
// so a session, and its sign-in, may end by that much too early on a node that dies.
package session

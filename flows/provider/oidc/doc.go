// Package oidc signs people in at an OpenID Connect provider: authorization
// code with PKCE S256 and nonce, ID tokens verified strictly, tokens refreshed
// and revoked, sign-out in both directions.
//
// # What is refused
//
//   - another issuer than the configured one, in the metadata, the ID token and
//     the authorization response (RFC 9207, against mix-up);
//   - an ID token without exp, iat, sub or the nonce; of another audience or
//     authorized party; signed by a symmetric algorithm or by none; with a key in
//     its header, or a claim twice; or of another type, such as an access token
//     (RFC 8725);
//   - a token whose token_type is not Bearer: it is bound to a key that is not ours;
//   - keys that are symmetric, weak or not on their curve;
//   - endpoints that metadata name at another host than a plain http issuer's, or in
//     a private network that the issuer is not in, whatever the name resolves to;
//   - redirects, answers of more than 1 MiB or that take more than 10 seconds.
//
// # How claims are read
//
// One rule holds at the sign-in and whenever the provider is asked again: what a
// provider says in a shape, or at a place, that is not read is not as if it were not
// there. It is not known ([identity.Claims.Unread]). A rule that allows by it does not
// match, one that denies by it does, and the log names the claim and the cure.
//
// Where: a claim is looked for in the ID token, then in the answer of the userinfo
// endpoint, by its exact name, then as a path ("realm_access.roles"). The ID token is
// signed, and wins. Who signed in, where and how (iss, aud, auth_time, acr, amr, sid,
// hd) only the ID token says. An address and whether it is verified come from one of
// the two. A claim that _claim_names announces elsewhere, wherever else it is, is not
// known (OpenID Connect Core, section 5.6.2), nor are groups of which "hasgroups" says
// that there are some. null is no value.
//
// Groups: the shape is that which GroupsAs names, and never guessed.
//
//   - By default a list of strings, or one string that can only be one group: without
//     spaces, commas, semicolons, bars, or JSON inside.
//   - "name" and "id": a list of objects (or one), whose member of that name is a
//     string, or for "id" a whole number, and the group.
//   - "keys": an object whose names are the groups; each value is true, an object or a
//     list. false, null, numbers and strings may mean no.
//   - "comma_separated" and "space_separated": one string, or a list of strings that
//     have no separator.
//
// A group is at most 255 bytes of UTF-8, without control characters and without space
// at either end. There are at most 20,000. They are all read or none is: one that is
// left out might be the one that somebody is denied for.
//
// E-mail addresses: one string. It is verified if email_verified is true, or "true";
// anything else, and nothing, is unverified, unless TrustEmail has its domain, for
// nothing. Rules that allow count a verified, well-formed address; rules that deny
// count any, see package policy.
//
// Userinfo: it is asked once, and only where the ID token lacks something that is
// needed ([Provider.SetNeeds]): what a rule is about, and the name of the user, always;
// what headers or clients are told, where the provider can be expected to have it
// (the scope is asked for, claims_supported lists it, or the groups' claim was
// configured). UserInfo forces or forbids that. Its subject must be the ID token's. A
// signed answer is verified. Where it refuses (401, 403, 404 and the like), what only
// it could say is not known; where it does not answer, neither is what is only shown,
// and a sign-in that depends on it fails, to be tried again.
//
// Asked again, with a refresh token, a provider may say less (section 12.2). What it
// does not say again is kept to be shown, except for groups, and is not known to rules.
//
// # What is fetched when
//
// Metadata and keys are fetched when first needed, so that a provider that is
// down stops nobody from starting. They are then kept and renewed in the
// background; while that fails, the old ones serve. An unknown key id fetches the keys
// anew: at most once a second where the token is the provider's own answer, and once a
// minute where anybody may have sent it, such as a logout token.
package oidc

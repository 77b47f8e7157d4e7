// Package reading lists the ways in which servers behind a guard may read a
// request.
//
// A guard with a matcher decides by the path, the method or the query whether a
// request must sign in. Servers disagree about all three: what is a slash, where a
// dot segment ends, how often an escape is decoded, which of two parameters counts.
// So the guard judges every reading that some server takes, by [Others], and a
// request must sign in if one of them must. What has no reading at all, such as a
// request target without a path ([Target]) or a path with a NUL, is refused.
//
// An upgrade hands the connection to a protocol that nobody reads: [Upgrade]
// says which one a request asks for, [StripUpgrade] takes it away.
package reading

// Package registration is about clients that register themselves: what they may say of
// themselves, and where that is kept.
//
// A client that registers dynamically (RFC 7591) is given an id that holds its
// registration, sealed: nothing is stored, so nothing has to be cleaned up, and nobody
// fills a store. A client that publishes a metadata document (OAuth Client ID Metadata
// Document) has the document's URL as its id. Neither registration gives a right; a
// person's consent does.
package registration

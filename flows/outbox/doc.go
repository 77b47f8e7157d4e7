// Package outbox drains the token store's outbox: what must still be told to
// somebody else, such as that a provider token is to be revoked or that a
// session has ended.
//
// One drain serves all kinds of entries and hands each to the handler of its
// kind. It takes only entries of the kinds that it has handlers for, so that
// what one node cannot do is left to one that can. A handler that fails is
// asked again with growing pauses.
package outbox

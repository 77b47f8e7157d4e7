// Package tokenstore is Gatehouse's durable state: subjects and their
// identities, sessions (which are also the families of their refresh tokens),
// provider tokens, signing keys and the outbox of what must still be told to
// others.
//
// [Store] is the contract. Its implementations are in tokenstore/postgres and
// tokenstore/sqlite; tokenstore/storetest is the suite that every
// implementation passes, third parties' included. What does not depend on the
// database is here for all of them: the Validate methods say what a store must
// refuse, [Rotation.Judge] and [ProviderToken.Withstands] what it must decide.
//
// A store never sees a secret: secrets arrive as SHA-256 sums, MACs or sealed
// bytes, whose keys are the caller's.
package tokenstore

// Package foreign knows who the tokens are of that others have issued for what this
// gateway guards: those of a provider whose block takes them. Each is verified, or its
// provider asked about it, once and then served from memory.
package foreign

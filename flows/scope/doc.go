// Package scope is what scopes mean: in words for people, and which narrower ones a
// broader one implies.
package scope

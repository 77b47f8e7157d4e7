package caddymodule

import (
	"slices"
	"strings"
)

// userNames is what a provider can call its users.
type userNames struct {
	anything bool
	emails   bool     // verified e-mail addresses
	fixed    []string // these
}

// namedUsers is a provider module that knows what its users can be called.
type namedUsers interface {
	userNames() userNames
}

func namesOf(m ProviderModule) userNames {
	if n, ok := m.(namedUsers); ok {
		return n.userNames()
	}
	return userNames{anything: true}
}

// meet reports whether one name can be yielded by both. A provider that has
// neither claim nor address calls a user PROVIDER:sub, which no other does
// unless it can call them anything.
func (n userNames) meet(other userNames) bool {
	if n.anything || other.anything || n.emails && other.emails {
		return true
	}
	return n.fixedMeets(other) || other.fixedMeets(n)
}

func (n userNames) fixedMeets(other userNames) bool {
	for _, name := range n.fixed {
		if other.emails && strings.ContainsAny(name, "@:") {
			return true
		}
		if slices.Contains(other.fixed, name) {
			return true
		}
	}
	return false
}

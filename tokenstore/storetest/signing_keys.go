package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var signingKeyTests = []test{
	{name: "from pending to gone", run: testKeyLife},
	{name: "one pending key of an algorithm", run: testKeyPending},
	{name: "promoted by compare-and-set", run: testKeyPromote},
	{name: "removed only when retired", run: testKeyRemove},
	{name: "first keys of many nodes", run: testKeyRace, races: true},
	{name: "promoted by many nodes at once", run: testKeyPromoteRace, races: true},
}

func key(id, algorithm string) tokenstore.SigningKey {
	return tokenstore.SigningKey{
		ID: id, Algorithm: algorithm, Private: []byte("sealed " + id), Public: []byte(`{"kid":"` + id + `"}`),
	}
}

func (e *env) addKey(id, algorithm string) tokenstore.SigningKey {
	e.Helper()
	k, err := e.AddSigningKey(e.ctx, key(id, algorithm))
	e.ok(err)
	return k
}

// states are the states of all keys, oldest first.
func (e *env) states() []string {
	e.Helper()
	keys, _, err := e.SigningKeys(e.ctx)
	e.ok(err)
	var list []string
	for _, k := range keys {
		list = append(list, k.ID+" "+string(k.State))
	}
	return list
}

func testKeyLife(e *env) {
	keys, now, err := e.SigningKeys(e.ctx)
	e.ok(err)
	e.same("keys of an empty store", len(keys), 0)
	e.near("store's clock", now, e.now())

	z := e.addKey("z", "ES256")
	want := key("z", "ES256")
	want.State, want.CreatedAt, want.ChangedAt = tokenstore.KeyActive, z.CreatedAt, z.ChangedAt
	e.same("first key", z, want)
	e.near("creation", z.CreatedAt, now)
	e.near("activation", z.ChangedAt, now)
	e.advance(time.Hour)
	a := e.addKey("a", "ES256")
	e.same("second key's state", a.State, tokenstore.KeyPending)
	e.same("keys", e.states(), []string{"z active", "a pending"})
	keys, _, err = e.SigningKeys(e.ctx)
	e.ok(err)
	e.same("keys as listed", keys, []tokenstore.SigningKey{z, a})

	e.advance(time.Hour)
	e.ok(e.PromoteSigningKey(e.ctx, "z", "a"))
	e.same("keys", e.states(), []string{"z retired", "a active"})
	keys, now, err = e.SigningKeys(e.ctx)
	e.ok(err)
	for i, k := range keys {
		e.near("change of state", k.ChangedAt, now)
		if !k.CreatedAt.Equal([]tokenstore.SigningKey{z, a}[i].CreatedAt) {
			e.Errorf("creation of %s moved to %v", k.ID, k.CreatedAt)
		}
	}
	e.ok(e.RemoveSigningKey(e.ctx, "z"))
	e.same("keys", e.states(), []string{"z gone", "a active"})
	keys, _, err = e.SigningKeys(e.ctx)
	e.ok(err)
	e.same("private part of a key that is gone", len(keys[0].Private), 0)
	e.same("private part of the active key", keys[1].Private, a.Private)
}

func testKeyPending(e *env) {
	e.addKey("a", "ES256")
	e.addKey("b", "ES256")
	_, err := e.AddSigningKey(e.ctx, key("c", "ES256"))
	e.want("AddSigningKey while another is pending", err, tokenstore.ErrConflict)
	// Another algorithm has a life of its own.
	e.same("first of another algorithm", e.addKey("d", "RS256").State, tokenstore.KeyActive)
	e.same("second of another algorithm", e.addKey("e", "RS256").State, tokenstore.KeyPending)
	e.ok(e.PromoteSigningKey(e.ctx, "a", "b"))
	e.addKey("c", "ES256")
	e.same("keys", e.states(), []string{"a retired", "b active", "d active", "e pending", "c pending"})
	if _, err := e.AddSigningKey(e.ctx, key("a", "EdDSA")); err == nil {
		e.Error("a key's id was used twice")
	}
}

func testKeyPromote(e *env) {
	e.addKey("a", "ES256")
	e.addKey("b", "ES256")
	e.addKey("r", "RS256")
	before := e.states()
	for name, pair := range map[string][2]string{
		"another than the active one":     {"x", "b"},
		"none, though one is active":      {"", "b"},
		"itself":                          {"b", "b"},
		"the active one of another":       {"r", "b"},
		"a key that is active already":    {"a", "a"},
		"the active key of another kind":  {"a", "r"},
		"an unknown key":                  {"a", "x"},
		"nothing, for an active one":      {"a", ""},
		"an unknown key, for an unknown ": {"x", "y"},
	} {
		if err := e.PromoteSigningKey(e.ctx, pair[0], pair[1]); !isAny(err, tokenstore.ErrConflict, tokenstore.ErrInvalid) {
			e.Errorf("PromoteSigningKey of %s (%q to %q): got error %v, want a conflict", name, pair[0], pair[1], err)
		}
		e.same("keys after promoting "+name, e.states(), before)
	}
	e.want("PromoteSigningKey from another", e.PromoteSigningKey(e.ctx, "x", "b"), tokenstore.ErrConflict)
	e.ok(e.PromoteSigningKey(e.ctx, "a", "b"))
	e.want("PromoteSigningKey again", e.PromoteSigningKey(e.ctx, "a", "b"), tokenstore.ErrConflict)
	e.want("PromoteSigningKey back", e.PromoteSigningKey(e.ctx, "b", "a"), tokenstore.ErrConflict)
	e.same("keys", e.states(), []string{"a retired", "b active", "r active"})
}

func testKeyRemove(e *env) {
	e.addKey("a", "ES256")
	e.addKey("b", "ES256")
	for _, id := range []string{"a", "b", "unknown"} {
		e.want("RemoveSigningKey of "+id, e.RemoveSigningKey(e.ctx, id), tokenstore.ErrConflict)
	}
	e.same("keys", e.states(), []string{"a active", "b pending"})
	e.ok(e.PromoteSigningKey(e.ctx, "a", "b"))
	e.ok(e.RemoveSigningKey(e.ctx, "a"))
	e.want("RemoveSigningKey again", e.RemoveSigningKey(e.ctx, "a"), tokenstore.ErrConflict)
}

func testKeyRace(e *env) {
	for round := range e.rounds(30, 6) {
		algorithm := named("alg", round)
		const nodes = 8
		added := make([]tokenstore.SigningKey, nodes)
		errs := make([]error, nodes)
		inStep(nodes, func(i int) {
			added[i], errs[i] = e.node(i).AddSigningKey(e.ctx, key(named(algorithm, i), algorithm))
		})
		got := make(map[tokenstore.KeyState]int)
		for i, err := range errs {
			if err != nil {
				e.want("AddSigningKey that lost", err, tokenstore.ErrConflict)
				continue
			}
			got[added[i].State]++
		}
		e.same("keys added", got, map[tokenstore.KeyState]int{tokenstore.KeyActive: 1, tokenstore.KeyPending: 1})
	}
}

func testKeyPromoteRace(e *env) {
	for round := range e.rounds(30, 6) {
		algorithm := named("alg", round)
		from, to := algorithm+"-a", algorithm+"-b"
		e.addKey(from, algorithm)
		e.addKey(to, algorithm)
		errs := make([]error, 8)
		inStep(len(errs), func(i int) { errs[i] = e.node(i).PromoteSigningKey(e.ctx, from, to) })
		e.oneWon("PromoteSigningKey", errs, tokenstore.ErrConflict)
	}
}

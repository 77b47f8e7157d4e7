package storetest

import (
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var inputTests = []test{
	{name: "NUL and invalid UTF-8", run: testInputText},
	{name: "longer than documented", run: testInputLength},
	{name: "strings are kept byte for byte", run: testInputBytes},
	{name: "subjects are opaque", run: testInputSubjects},
	{name: "ids that are no UUIDv7", run: testInputIDs},
	{name: "extreme times", run: testInputTimes},
}

// standing is what there is before a bad call, and must be there after it.
func (e *env) standing() (check func()) {
	e.Helper()
	s := e.session(e.subject("ann"))
	t := e.store(e.token("a", "openid")).Kept
	e.ok(e.SetConsent(e.ctx, tokenstore.Consent{Subject: "sub-ann", ClientID: "app", Scope: []string{"openid"}, At: e.now()}))
	e.addKey("k", "ES256")
	return func() {
		e.Helper()
		e.same("session", withoutNow(e.load(s.ID)), withoutNow(s))
		e.same("sessions", e.list(tokenstore.SessionQuery{All: true}), ids(s))
		e.same("provider token", e.stored(), t)
		tokens, err := e.ListProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true})
		e.ok(err)
		e.same("number of provider tokens", len(tokens), 1)
		consents, err := e.Consents(e.ctx, "sub-ann")
		e.ok(err)
		e.same("number of consents", len(consents), 1)
		identities, err := e.Identities(e.ctx, "sub-ann")
		e.ok(err)
		e.same("identities", identities, []tokenstore.Identity{identity("ann")})
		e.same("keys", e.states(), []string{"k active"})
		e.noOutbox()
	}
}

// withText are calls that a string is given to, by the name of the argument.
func (e *env) withText(bad string) map[string]func() error {
	e.Helper()
	later := e.now().Add(time.Hour)
	session := func(change func(*tokenstore.NewSession)) func() error {
		return func() error {
			n := e.newSession("sub-ann")
			change(&n)
			_, err := e.CreateSession(e.ctx, n)
			return err
		}
	}
	signIn := func(in tokenstore.SignIn) func() error {
		return func() error { _, err := e.SignIn(e.ctx, in); return err }
	}
	token := func(change func(*tokenstore.ProviderToken)) func() error {
		return func() error {
			t := e.token("b", "openid")
			change(&t)
			_, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{RevokeDisplaced: true})
			return err
		}
	}
	query := func(q tokenstore.ProviderTokenQuery) func() error {
		return func() error {
			if _, err := e.ListProviderTokens(e.ctx, q); err == nil {
				return nil
			}
			_, err := e.DeleteProviderTokens(e.ctx, q, false)
			return err
		}
	}
	return map[string]func() error{
		"SignIn issuer":      signIn(tokenstore.SignIn{Identity: tokenstore.Identity{Issuer: bad, Subject: "x"}, NewSubject: "x"}),
		"SignIn subject":     signIn(tokenstore.SignIn{Identity: tokenstore.Identity{Issuer: "x", Subject: bad}, NewSubject: "x"}),
		"SignIn new subject": signIn(tokenstore.SignIn{Identity: identity("x"), NewSubject: bad}),
		"Subject":            func() error { _, err := e.Subject(e.ctx, bad); return err },
		"FindSubject issuer": func() error {
			_, err := e.FindSubject(e.ctx, tokenstore.Identity{Issuer: bad, Subject: "x"})
			return err
		},
		"FindSubject subject": func() error {
			_, err := e.FindSubject(e.ctx, tokenstore.Identity{Issuer: "x", Subject: bad})
			return err
		},
		"Identities":            func() error { _, err := e.Identities(e.ctx, bad); return err },
		"Link subject":          func() error { return e.Link(e.ctx, bad, identity("x")) },
		"Link identity":         func() error { return e.Link(e.ctx, "sub-ann", identity(bad)) },
		"Unlink subject":        func() error { return e.Unlink(e.ctx, bad, identity("ann")) },
		"Unlink identity":       func() error { return e.Unlink(e.ctx, "sub-ann", identity(bad)) },
		"Suspend":               func() error { return e.Suspend(e.ctx, bad, true) },
		"SetConsent subject":    func() error { return e.SetConsent(e.ctx, tokenstore.Consent{Subject: bad, ClientID: "x"}) },
		"SetConsent client":     func() error { return e.SetConsent(e.ctx, tokenstore.Consent{Subject: "sub-ann", ClientID: bad}) },
		"Consents":              func() error { _, err := e.Consents(e.ctx, bad); return err },
		"DeleteConsent subject": func() error { return e.DeleteConsent(e.ctx, bad, "app") },
		"DeleteConsent client":  func() error { return e.DeleteConsent(e.ctx, "sub-ann", bad) },
		"SetDelegation subject": func() error {
			return e.SetDelegation(e.ctx, tokenstore.Delegation{Subject: bad, ClientID: "x", Provider: "x"})
		},
		"SetDelegation client": func() error {
			return e.SetDelegation(e.ctx, tokenstore.Delegation{Subject: "sub-ann", ClientID: bad, Provider: "x"})
		},
		"SetDelegation provider": func() error {
			return e.SetDelegation(e.ctx, tokenstore.Delegation{Subject: "sub-ann", ClientID: "x", Provider: bad})
		},
		"Delegation":        func() error { _, err := e.Delegation(e.ctx, bad, "x", "x"); return err },
		"Delegation client": func() error { _, err := e.Delegation(e.ctx, "sub-ann", bad, "x"); return err },
		"Delegations":       func() error { _, err := e.Delegations(e.ctx, bad); return err },
		"UseDelegation": func() error {
			return e.UseDelegation(e.ctx, tokenstore.Delegation{Subject: "sub-ann", ClientID: "x", Provider: bad})
		},
		"SetDelegationClaims": func() error {
			return e.SetDelegationClaims(e.ctx, tokenstore.Delegation{Subject: bad, ClientID: "x", Provider: "x"})
		},
		"DeleteDelegations": func() error { return e.DeleteDelegations(e.ctx, "sub-ann", bad) },
		"SetConsent scope": func() error {
			return e.SetConsent(e.ctx, tokenstore.Consent{Subject: "sub-ann", ClientID: "app", Scope: []string{"openid", bad}})
		},

		"CreateSession subject":    session(func(n *tokenstore.NewSession) { n.Subject = bad }),
		"CreateSession client":     session(func(n *tokenstore.NewSession) { n.ClientID = bad }),
		"CreateSession scope":      session(func(n *tokenstore.NewSession) { n.Scope = bad }),
		"CreateSession resource":   session(func(n *tokenstore.NewSession) { n.Resource = []string{"https://a.example", bad} }),
		"CreateSession cnf":        session(func(n *tokenstore.NewSession) { n.Cnf = bad }),
		"CreateSession acr":        session(func(n *tokenstore.NewSession) { n.ACR = bad }),
		"CreateSession amr":        session(func(n *tokenstore.NewSession) { n.AMR = []string{bad} }),
		"CreateSession provider":   session(func(n *tokenstore.NewSession) { n.Provider = bad }),
		"CreateSession user agent": session(func(n *tokenstore.NewSession) { n.UserAgent = bad }),
		"ListSessions subject":     func() error { _, err := e.ListSessions(e.ctx, tokenstore.SessionQuery{Subject: bad}); return err },
		"ListSessions client": func() error {
			_, err := e.ListSessions(e.ctx, tokenstore.SessionQuery{All: true, ClientID: bad})
			return err
		},
		"RevokeSubject": func() error { _, err := e.RevokeSubject(e.ctx, bad); return err },

		"StoreProviderToken subject":    token(func(t *tokenstore.ProviderToken) { t.Subject = bad }),
		"StoreProviderToken provider":   token(func(t *tokenstore.ProviderToken) { t.Provider = bad }),
		"StoreProviderToken client":     token(func(t *tokenstore.ProviderToken) { t.ClientID = bad }),
		"StoreProviderToken key":        token(func(t *tokenstore.ProviderToken) { t.KeyID = bad }),
		"StoreProviderToken type":       token(func(t *tokenstore.ProviderToken) { t.TokenType = bad }),
		"StoreProviderToken scope":      token(func(t *tokenstore.ProviderToken) { t.Scope = bad }),
		"ProviderToken subject":         func() error { _, err := e.ProviderToken(e.ctx, bad, "p"); return err },
		"ProviderToken provider":        func() error { _, err := e.ProviderToken(e.ctx, "ann", bad); return err },
		"ListProviderTokens subject":    query(tokenstore.ProviderTokenQuery{Subject: bad}),
		"ListProviderTokens provider":   query(tokenstore.ProviderTokenQuery{Provider: bad}),
		"ListProviderTokens client":     query(tokenstore.ProviderTokenQuery{ClientID: bad}),
		"ListProviderTokens key":        query(tokenstore.ProviderTokenQuery{KeyIDNot: bad}),
		"ListProviderTokens position":   query(tokenstore.ProviderTokenQuery{All: true, AfterSubject: bad}),
		"ListProviderTokens position 2": query(tokenstore.ProviderTokenQuery{All: true, AfterSubject: "x", AfterProvider: bad}),
		"LeaseProviderToken subject": func() error {
			_, err := e.LeaseProviderToken(e.ctx, bad, "p", 1, "n", time.Minute)
			return err
		},
		"LeaseProviderToken owner": func() error {
			_, err := e.LeaseProviderToken(e.ctx, "ann", "p", e.stored().Version, bad, time.Minute)
			return err
		},
		"UpdateProviderToken scope": func() error {
			t := e.stored()
			t.Scope = bad
			_, err := e.UpdateProviderToken(e.ctx, t)
			return err
		},
		"Enqueue kind": func() error {
			return e.Enqueue(e.ctx, tokenstore.OutboxEntry{ID: e.id(), Kind: tokenstore.OutboxKind(bad), NotBy: later})
		},
		"Enqueue target": func() error {
			return e.Enqueue(e.ctx, tokenstore.OutboxEntry{
				ID: e.id(), Kind: tokenstore.OutboxBackchannelLogout, Target: bad, NotBy: later,
			})
		},
		"AddSigningKey id":        func() error { _, err := e.AddSigningKey(e.ctx, key(bad, "RS256")); return err },
		"AddSigningKey algorithm": func() error { _, err := e.AddSigningKey(e.ctx, key("x", bad)); return err },
		"PromoteSigningKey from":  func() error { return e.PromoteSigningKey(e.ctx, bad, "k") },
		"PromoteSigningKey to":    func() error { return e.PromoteSigningKey(e.ctx, "k", bad) },
		"RemoveSigningKey":        func() error { return e.RemoveSigningKey(e.ctx, bad) },
		"RevokeTokenID":           func() error { return e.RevokeTokenID(e.ctx, bad, later) },
	}
}

func testInputText(e *env) {
	check := e.standing()
	for _, bad := range []string{"\x00", "a\x00b", "\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"} {
		for name, call := range e.withText(bad) {
			e.want(name, call(), tokenstore.ErrInvalid)
		}
		// A client's or a key's name that no session can have: either answer
		// is true.
		s := e.list(tokenstore.SessionQuery{All: true})[0]
		for name, change := range map[string]func(*tokenstore.Rotation){
			"Rotate client": func(r *tokenstore.Rotation) { r.ClientID = bad },
			"Rotate key":    func(r *tokenstore.Rotation) { r.Cnf = bad },
		} {
			r := presented(e.load(s), 0)
			change(&r)
			if _, err := e.Rotate(e.ctx, r); !isAny(err, tokenstore.ErrInvalid, tokenstore.ErrMismatch) {
				e.Errorf("%s: got error %v, want %v or %v", name, err, tokenstore.ErrInvalid, tokenstore.ErrMismatch)
			}
		}
	}
	check()
}

func testInputLength(e *env) {
	check := e.standing()
	long := func(n int) string { return strings.Repeat("x", n+1) }
	session := func(change func(*tokenstore.NewSession)) func() error {
		return func() error {
			n := e.newSession("sub-ann")
			change(&n)
			if _, err := e.CreateSession(e.ctx, n); err == nil {
				return nil
			}
			_, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "x", Session: n})
			return err
		}
	}
	signIn := func(id tokenstore.Identity, subject string) func() error {
		return func() error {
			_, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: id, NewSubject: subject})
			return err
		}
	}
	for name, call := range map[string]func() error{
		"scope":  session(func(n *tokenstore.NewSession) { n.Scope = long(tokenstore.MaxScope) }),
		"client": session(func(n *tokenstore.NewSession) { n.ClientID = long(tokenstore.MaxClientID) }),
		"claims": session(func(n *tokenstore.NewSession) { n.Claims = make([]byte, tokenstore.MaxClaims+1) }),
		// Bytes count, not characters.
		"scope of few characters": session(func(n *tokenstore.NewSession) { n.Scope = strings.Repeat("ü", tokenstore.MaxScope/2+1) }),
		"subject": func() error {
			_, err := e.CreateSession(e.ctx, e.newSession(long(tokenstore.MaxSubject)))
			return err
		},
		"new subject":        signIn(identity("x"), long(tokenstore.MaxSubject)),
		"identity's issuer":  signIn(tokenstore.Identity{Issuer: long(tokenstore.MaxIssuer), Subject: "x"}, "x"),
		"identity's subject": signIn(identity(long(tokenstore.MaxIdentitySubject)), "x"),
		"linked issuer": func() error {
			return e.Link(e.ctx, "sub-ann", tokenstore.Identity{Issuer: long(tokenstore.MaxIssuer), Subject: "x"})
		},
		"linked subject":         func() error { return e.Link(e.ctx, "sub-ann", identity(long(tokenstore.MaxIdentitySubject))) },
		"provider token's owner": func() error { return e.storeFor(long(tokenstore.MaxSubject)) },
		"client that is consented": func() error {
			return e.SetConsent(e.ctx, tokenstore.Consent{Subject: "sub-ann", ClientID: long(tokenstore.MaxClientID)})
		},
		"token id":      func() error { return e.RevokeTokenID(e.ctx, long(tokenstore.MaxTokenID), e.now().Add(time.Hour)) },
		"key's id":      func() error { _, err := e.AddSigningKey(e.ctx, key(long(tokenstore.MaxTokenID), "RS256")); return err },
		"key algorithm": func() error { _, err := e.AddSigningKey(e.ctx, key("x", long(tokenstore.MaxAlgorithm))); return err },
		"hash": func() error {
			t := e.token("long", "openid")
			t.AccessHash = make([]byte, tokenstore.MaxHash+1)
			_, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{})
			return err
		},
	} {
		e.want("a "+name+" that is too long", call(), tokenstore.ErrInvalid)
	}
	check()
	// At the limit, each works.
	at := tokenstore.Identity{Issuer: strings.Repeat("i", tokenstore.MaxIssuer), Subject: strings.Repeat("s", tokenstore.MaxIdentitySubject)}
	e.ok(signIn(at, strings.Repeat("n", tokenstore.MaxSubject))())
	e.ok(e.storeFor(strings.Repeat("n", tokenstore.MaxSubject)))
}

// storeFor stores a provider token of a subject.
func (e *env) storeFor(subject string) error {
	t := e.token("long", "openid")
	t.Subject = subject
	_, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{})
	return err
}

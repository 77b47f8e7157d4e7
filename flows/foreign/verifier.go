package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// MaxLength is the longest token that is looked at, in bytes.
	MaxLength = 16 << 10
	// patience bounds how long a request waits for a provider's keys or answer.
	patience = 5 * time.Second
	// asksAtOnce bounds the questions to one provider at a time.
	asksAtOnce = 16
	// introspected is how long the answer to a question counts at most (RFC 7662,
	// section 4), and refusedFor how long a refusal does.
	introspected = time.Minute
	// verified is how long a token counts by the keys that it was verified by: one that
	// has been withdrawn signs for nobody any more.
	verified   = 10 * time.Minute
	refusedFor = 10 * time.Second
	// lookAgain is how often the store is asked whether a subject is suspended, and
	// serveStale how long it may be away for that.
	lookAgain  = time.Minute
	serveStale = 10 * time.Minute
)

// ErrToken: a token of another issuer is not good here. ErrUnavailable: that cannot be
// told now.
var (
	ErrToken       = errors.New("token of another issuer is not valid here")
	ErrUnavailable = errors.New("token of another issuer cannot be verified now")
)

// Config of a Verifier.
type Config struct {
	// Providers whose tokens are taken, by name.
	Providers map[string]provider.TokenAcceptor
	// Admit reports whether a provider's own rules let somebody in.
	Admit  func(identity.Claims) bool
	Store  tokenstore.Store
	Now    func() time.Time
	Logger *slog.Logger
}

// Verifier verifies tokens of others. It is safe for concurrent use.
type Verifier struct {
	Config
	cache   cache
	flights singleflight.Group
	turns   map[string]chan struct{} // of questions, by provider
}

// New makes a Verifier.
func New(c Config) *Verifier {
	v := &Verifier{Config: c, turns: make(map[string]chan struct{}, len(c.Providers))}
	v.cache.known, v.cache.refused = make(map[key]*Known), make(map[key]refusal)
	for name := range c.Providers {
		v.turns[name] = make(chan struct{}, asksAtOnce)
	}
	return v
}

// IssuerOf is the provider, of those named, that a token is of, or "". A token that is no
// JWT is of the one that is asked about such; of those that look like a JWT no other is
// told.
func (v *Verifier) IssuerOf(raw string, names []string) string {
	if raw == "" || len(raw) > MaxLength {
		return ""
	}
	isJWT := strings.HasPrefix(raw, "eyJ")
	sum := sha256.Sum256([]byte(raw))
	for _, name := range names {
		p := v.Providers[name]
		if p == nil {
			continue
		}
		if !isJWT && p.Introspects() && isBearer(raw) {
			return name
		}
		if !isJWT {
			continue
		}
		known, _ := v.cache.get(key{name, sum}, v.Now())
		if known != nil || p.Issued(raw) {
			return name
		}
	}
	return ""
}

// isBearer reports whether a text is a token of RFC 6750, section 2.1.
func isBearer(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/", c)
	})
}

// Verify returns who a token of a provider is of. One that was verified before costs no
// I/O, but for a question to the store a minute. [ErrToken], [ErrUnavailable].
func (v *Verifier) Verify(ctx context.Context, name, raw string) (*Known, error) {
	k := key{name, sha256.Sum256([]byte(raw))}
	known, err := v.cache.get(k, v.Now())
	if err != nil {
		return nil, err
	}
	if known != nil {
		return known, v.stillWelcome(ctx, known)
	}
	flight := v.flights.DoChan(name+string(k.sum[:]), func() (any, error) {
		// Others wait for the answer, though this client may hang up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return v.verify(ctx, k, raw)
	})
	select {
	case done := <-flight:
		if done.Err != nil {
			return nil, done.Err
		}
		return done.Val.(*Known), nil //nolint:forcetypeassert // verify's own
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

func (v *Verifier) verify(ctx context.Context, k key, raw string) (*Known, error) {
	accepted, asked, err := v.ask(ctx, k.provider, raw)
	now := v.Now()
	switch {
	case errors.Is(err, provider.ErrResponse):
		err = v.refuse(ctx, k.provider, err)
		if asked {
			v.cache.refuse(k, refusal{err: err, until: now.Add(refusedFor)}, now)
		}
		return nil, err
	case err != nil:
		v.Logger.WarnContext(ctx, "tokens of a provider cannot be verified now", "provider", k.provider, "error", err)
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	known := &Known{Barred: !v.Admit(accepted.Claims), JKT: accepted.JKT, X5T: accepted.X5T, expires: earlier(accepted.ExpiresAt, now.Add(verified))}
	if asked {
		known.expires = earlier(known.expires, now.Add(introspected))
	}
	subject, err := v.subject(ctx, &accepted.Claims)
	if err != nil {
		return nil, err
	}
	known.looked.Store(now.UnixNano())
	known.Identity = &identity.Identity{
		Claims: accepted.Claims, Subject: subject, Scope: accepted.Scope, Accepted: true,
		TokenID: "of " + k.provider + ":" + base64.RawURLEncoding.EncodeToString(k.sum[:18]), TokenExpires: accepted.ExpiresAt,
		TokenScheme: "bearer", Judgements: new(identity.Judgements),
	}
	if known.JKT != "" {
		known.Identity.TokenScheme = "dpop"
	}
	v.cache.put(k, known, now)
	return known, nil
}

// ask has a token verified by its provider's keys or, where it is no JWT, by the
// provider.
func (v *Verifier) ask(ctx context.Context, name, raw string) (accepted provider.Accepted, asked bool, err error) {
	p := v.Providers[name]
	if strings.HasPrefix(raw, "eyJ") {
		accepted, err = p.AcceptToken(ctx, raw)
		return accepted, false, err
	}
	select {
	case v.turns[name] <- struct{}{}:
		defer func() { <-v.turns[name] }()
	case <-ctx.Done():
		return accepted, true, context.Cause(ctx)
	}
	accepted, err = p.Introspect(ctx, raw)
	return accepted, true, err
}

func (v *Verifier) refuse(ctx context.Context, name string, err error) error {
	v.Logger.InfoContext(ctx, "a token of another issuer is refused", "provider", name, "reason", err)
	return fmt.Errorf("%w: %w", ErrToken, err)
}

// subject is that of an identity that has signed in here, or been linked, else one that
// no sign-in has. ErrToken if it is suspended.
func (v *Verifier) subject(ctx context.Context, c *identity.Claims) (string, error) {
	found, err := v.Store.FindSubject(ctx, tokenstore.Identity{Issuer: c.Issuer, Subject: c.ID})
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrInvalid):
		sum := sha256.Sum256([]byte(c.Issuer + "\x00" + c.ID))
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])), nil
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	case found.Suspended():
		return "", v.refuse(ctx, c.Provider, errors.New("its subject is suspended: "+c.User))
	}
	return found.ID, nil
}

// stillWelcome asks the store, at most once a minute, whether somebody was suspended.
func (v *Verifier) stillWelcome(ctx context.Context, known *Known) error {
	now, looked := v.Now(), known.looked.Load()
	if now.Sub(time.Unix(0, looked)) < lookAgain {
		return nil
	}
	_, err := v.subject(ctx, &known.Identity.Claims)
	switch {
	case err == nil:
		known.looked.CompareAndSwap(looked, now.UnixNano())
		return nil
	case errors.Is(err, ErrUnavailable) && now.Sub(time.Unix(0, looked)) < serveStale:
		return nil
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

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
	"sync/atomic"
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
	// asksAtOnce bounds the questions to one provider at a time, and waitAtOnce those that
	// wait for their turn as well: anybody can send what has to be asked about.
	asksAtOnce = 16
	waitAtOnce = 256
	// introspected is how long the answer to a question counts at most (RFC 7662,
	// section 4), and refusedFor how long a refusal does.
	introspected = time.Minute
	// verified is how long a token counts by the keys that it was verified by: one that
	// has been withdrawn signs for nobody any more.
	verified   = 10 * time.Minute
	refusedFor = 10 * time.Second
	// lookAgain is how often the store is asked whether a subject is suspended, and
	// tryAgain how soon it is asked again if it does not answer.
	lookAgain = time.Minute
	tryAgain  = 5 * time.Second
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
	Admit func(identity.Claims) bool
	Store tokenstore.Store
	// ServeStale is how long a token that was vouched for is served while the store does
	// not answer.
	ServeStale func() time.Duration
	Now        func() time.Time
	Logger     *slog.Logger
}

// Verifier verifies tokens of others. It is safe for concurrent use.
type Verifier struct {
	Config
	cache    cache
	flights  singleflight.Group
	lines    map[string]*line // of questions, by provider
	watchers watchers
	// What anybody can have written to the log, by sending tokens.
	refusals, complaints pacedLog
}

// line is where questions to a provider wait.
type line struct {
	turns   chan struct{}
	waiting atomic.Int64 // those that are asked now, too
}

// New makes a Verifier.
func New(c Config) *Verifier {
	v := &Verifier{Config: c, lines: make(map[string]*line, len(c.Providers))}
	v.cache.known, v.cache.refused = make(map[key]*Known), make(map[key]refusal)
	for name := range c.Providers {
		v.lines[name] = &line{turns: make(chan struct{}, asksAtOnce)}
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
	return v.vouch(ctx, key{name, sha256.Sum256([]byte(raw))}, raw, 0)
}

// vouch is Verify as it will be in a while.
func (v *Verifier) vouch(ctx context.Context, k key, raw string, ahead time.Duration) (*Known, error) {
	now := v.Now().Add(ahead)
	known, err := v.cache.get(k, now)
	switch {
	case err != nil:
		return nil, err
	case known != nil && now.Sub(known.Identity.Accepted.ConfirmedAt()) < lookAgain:
		return known, nil
	case known != nil && v.triedJustNow(known):
		return known, v.withoutStore(known, ErrUnavailable)
	}
	flight := v.flights.DoChan(k.provider+string(k.sum[:]), func() (any, error) {
		// Others wait for the answer, though this client may hang up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if known != nil {
			return known, v.stillWelcome(ctx, k, known)
		}
		return v.verify(ctx, k, raw)
	})
	select {
	case done := <-flight:
		if done.Err != nil {
			return nil, done.Err
		}
		return done.Val.(*Known), nil //nolint:forcetypeassert // vouch's own
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

func (v *Verifier) verify(ctx context.Context, k key, raw string) (*Known, error) {
	accepted, asked, err := v.ask(ctx, k.provider, raw)
	now := v.Now()
	switch {
	case errors.Is(err, provider.ErrResponse):
		return nil, v.refuse(ctx, k, err)
	case err != nil:
		v.complaints.say(now, func(left int64) {
			v.Logger.WarnContext(ctx, "tokens of a provider cannot be verified now", "provider", k.provider, "error", err, "left_out", left)
		})
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	known := &Known{Barred: !v.Admit(accepted.Claims), JKT: accepted.JKT, X5T: accepted.X5T, expires: earlier(accepted.ExpiresAt, now.Add(verified))}
	if asked {
		known.expires = earlier(known.expires, now.Add(introspected))
	}
	confirmed := now
	subject, err := v.subject(ctx, k, &accepted.Claims)
	if before := v.cache.last(k); errors.Is(err, ErrUnavailable) && before != nil && v.withoutStore(before, err) == nil {
		subject, confirmed, err = before.Identity.Subject, before.Identity.Accepted.ConfirmedAt(), nil
	}
	if err != nil {
		return nil, err
	}
	known.Identity = &identity.Identity{
		Claims: accepted.Claims, Subject: subject, Scope: accepted.Scope, Accepted: identity.Accept(raw, confirmed),
		TokenID: "of " + k.provider + ":" + base64.RawURLEncoding.EncodeToString(k.sum[:18]), TokenExpires: accepted.ExpiresAt,
		TokenScheme: "bearer", Judgements: new(identity.Judgements),
	}
	if known.JKT != "" {
		known.Identity.TokenScheme = "dpop"
	}
	v.cache.put(k, known, now)
	return known, nil
}

// errBusy: so many wait for a provider that one more would not get an answer in time.
var errBusy = errors.New("too many questions wait for its answer")

// ask has a token verified by its provider's keys or, where it is no JWT, by the
// provider.
func (v *Verifier) ask(ctx context.Context, name, raw string) (accepted provider.Accepted, asked bool, err error) {
	p := v.Providers[name]
	switch {
	case p == nil: // of an earlier configuration
		return accepted, false, fmt.Errorf("%w: its tokens are not taken any more", provider.ErrResponse)
	case strings.HasPrefix(raw, "eyJ"):
		accepted, err = p.AcceptToken(ctx, raw)
		return accepted, false, err
	}
	line := v.lines[name]
	if line.waiting.Add(1) > waitAtOnce {
		line.waiting.Add(-1)
		return accepted, true, errBusy
	}
	defer line.waiting.Add(-1)
	select {
	case line.turns <- struct{}{}:
		defer func() { <-line.turns }()
	case <-ctx.Done():
		return accepted, true, context.Cause(ctx)
	}
	accepted, err = p.Introspect(ctx, raw)
	return accepted, true, err
}

// refuse remembers for a moment that a token is refused: who tries again at once costs
// nobody a question, nor a line in the log.
func (v *Verifier) refuse(ctx context.Context, k key, err error) error {
	now := v.Now()
	v.refusals.say(now, func(left int64) {
		v.Logger.InfoContext(ctx, "a token of another issuer is refused", "provider", k.provider, "reason", err, "left_out", left)
	})
	err = fmt.Errorf("%w: %w", ErrToken, err)
	v.cache.refuse(k, refusal{err: err, until: now.Add(refusedFor)}, now)
	return err
}

// subject is that of an identity that has signed in here, or been linked, else one that
// no sign-in has. ErrToken if it is suspended.
func (v *Verifier) subject(ctx context.Context, k key, c *identity.Claims) (string, error) {
	found, err := v.Store.FindSubject(ctx, tokenstore.Identity{Issuer: c.Issuer, Subject: c.ID})
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrInvalid):
		sum := sha256.Sum256([]byte(c.Issuer + "\x00" + c.ID))
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])), nil
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	case found.Suspended():
		return "", v.refuse(ctx, k, errors.New("its subject is suspended: "+c.User))
	}
	return found.ID, nil
}

// stillWelcome asks the store whether somebody was suspended.
func (v *Verifier) stillWelcome(ctx context.Context, k key, known *Known) error {
	_, err := v.subject(ctx, k, &known.Identity.Claims)
	now := v.Now()
	switch {
	case err == nil:
		known.Identity.Accepted.Confirm(known.Identity, now)
		return nil
	case errors.Is(err, ErrUnavailable):
		known.tried.Store(now.UnixNano())
		return v.withoutStore(known, err)
	}
	return err
}

// triedJustNow reports whether the store did not answer a moment ago.
func (v *Verifier) triedJustNow(known *Known) bool {
	return v.Now().Sub(time.Unix(0, known.tried.Load())) < tryAgain
}

// withoutStore is err, unless somebody is served without the store yet.
func (v *Verifier) withoutStore(known *Known, err error) error {
	if v.age(known.Identity) < v.ServeStale() {
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

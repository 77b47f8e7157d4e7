package accesstoken

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Config is what a Verifier is made of.
type Config struct {
	// Keys that tokens are signed with. Nil: no token is taken.
	Keys     *token.Keys
	Sessions *session.Manager
	Store    tokenstore.Store
	Cache    cache.Store
	Logger   *slog.Logger
	Now      func() time.Time
	// Portal is the issuer of all tokens; zero where each site is its own.
	Portal web.Issuer
	// Longest is the longest life of a token that is issued here.
	Longest time.Duration
}

// Verifier verifies access tokens and remembers those that it has verified. It is
// safe for concurrent use.
type Verifier struct {
	Config
	tokens *tokens
}

// New makes a verifier that knows no token yet.
func New(c Config) *Verifier { return &Verifier{Config: c, tokens: newTokens()} }

func (v *Verifier) hasPortal() bool { return v.Portal.Origin != "" }

// MaxLength is how long an access or ID token may be, in bytes. Those of a person
// of whose groups a session holds no more (16 KiB) are shorter: what is issued must
// be taken again, and told from what is the upstream's.
const MaxLength = 32 << 10

// Verify checks an access token of an issuer of ours: signature (once),
// expiry, and that its session lives. Errors: token.ErrToken, token.ErrNoKey,
// session.ErrNoSession, session.ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, at web.Issuer, raw string) (*Claims, *identity.Identity, error) {
	if v.Keys == nil || len(raw) > MaxLength {
		return nil, nil, token.ErrToken
	}
	now := v.Now()
	sum := sha256.Sum256([]byte(raw))
	known := v.remembered(sum, now)
	if known == nil {
		var err error
		if known, err = v.VerifySignature(at, raw); err != nil {
			return nil, nil, err
		}
		v.tokens.put(sum, known, now)
	}
	return v.confirm(ctx, at, known)
}

// remembered is a token that was verified before, by a key that is still among
// ours, or nil: a key that is gone takes with it what it signed.
func (v *Verifier) remembered(sum [sha256.Size]byte, now time.Time) *Verified {
	known := v.tokens.get(sum, now)
	if known == nil || v.Keys == nil || !v.Keys.Holds(known.key) {
		return nil
	}
	return known
}

// VerifyPresented is verifyAccess for a token that may be known already.
func (v *Verifier) VerifyPresented(ctx context.Context, at web.Issuer, t Credential) (*Claims, *identity.Identity, error) {
	if t.known == nil {
		return v.Verify(ctx, at, t.Raw)
	}
	return v.confirm(ctx, at, t.known)
}

// confirm checks of a token that was verified what may have changed since.
func (v *Verifier) confirm(ctx context.Context, at web.Issuer, known *Verified) (*Claims, *identity.Identity, error) {
	if known.Claims.Issuer != at.ID() {
		return nil, nil, token.ErrToken
	}
	if known.who != nil {
		if err := v.learn(ctx); err != nil {
			return nil, nil, fmt.Errorf("%w: learning of revoked tokens: %w", session.ErrUnavailable, err)
		}
		if v.tokens.isDenied(known.Claims.ID) {
			return nil, nil, token.ErrToken
		}
		return known.Claims, known.who, nil
	}
	who, err := v.Sessions.Live(ctx, known.Session)
	if err != nil {
		return nil, nil, err
	}
	if who.ClientID != known.Claims.ClientID || who.Subject != known.Claims.Subject {
		return nil, nil, token.ErrToken
	}
	return known.Claims, who, nil
}

func (v *Verifier) VerifySignature(at web.Issuer, raw string) (*Verified, error) {
	claims := &Claims{}
	key, err := v.Keys.VerifySigner(raw, token.TypeAccess, at.ID(), claims)
	if err != nil {
		return nil, err
	}
	if claims.Subject == "" || claims.ClientID == "" || claims.ID == "" || len(claims.Audience) == 0 || claims.IssuedAt == nil {
		return nil, token.ErrToken
	}
	// The leeway of Verify is for clocks that differ; this token is our own.
	if !v.Now().Before(claims.ExpiresAt.Time) {
		return nil, token.ErrToken
	}
	b := &Verified{Claims: claims, key: key, expires: claims.ExpiresAt.Time}
	// A thief of the key can write any exp.
	if latest := v.Now().Add(v.Longest); latest.Before(b.expires) {
		b.expires = latest
	}
	if claims.SessionID == "" {
		b.who = &identity.Identity{
			Claims: ClientClaims(at, claims.ClientID), Subject: claims.Subject, ClientID: claims.ClientID,
			Scope: strings.Fields(claims.Scope), TokenID: claims.ID, TokenScheme: claims.scheme(), TokenExpires: claims.ExpiresAt.Time, TokenKey: key,
			Judgements: new(identity.Judgements),
		}
		return b, nil
	}
	id, err := uuid.Parse(claims.SessionID)
	if err != nil {
		return nil, token.ErrToken
	}
	b.Session = id
	return b, nil
}

package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ErrResource: the provider issues no token for one resource, or not for this one.
var ErrResource = errors.New("the provider issues no token for the resource")

// maxNarrowed is how many access tokens are kept beside a row's own; the one that
// expires first makes room.
const maxNarrowed = 16

const narrowedColumn = "narrowed"

// Want is what an access token is to be for. The zero Want is the stored token.
type Want struct {
	// Scope that it must cover, and no more than that where the provider narrows.
	Scope []string
	// Resource that it must be for (RFC 8707); "" for any.
	Resource string
}

// narrowed is an access token for a [Want], kept in the row of the token that it was
// refreshed down from.
type narrowed struct {
	Scope       string    `json:"scope"` // as it was asked for, in order
	Resource    string    `json:"resource,omitempty"`
	Granted     string    `json:"granted"` // as the provider says
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
}

func (n narrowed) access() Access {
	a := Access{AccessToken: n.AccessToken, TokenType: n.TokenType, Scope: n.Granted, ExpiresAt: n.ExpiresAt}
	if !n.ExpiresAt.IsZero() {
		a.lifetime = n.ExpiresAt.Sub(n.IssuedAt)
	}
	return a
}

// isFresh reports whether it can be used, for a minute or half of its life.
func (n narrowed) isFresh(now time.Time) bool {
	if n.ExpiresAt.IsZero() {
		return now.Sub(n.IssuedAt) < unknownLifetime
	}
	return n.ExpiresAt.Sub(now) > min(defaultSkew, n.ExpiresAt.Sub(n.IssuedAt)/2)
}

func (n narrowed) isExpired(now time.Time) bool {
	if n.ExpiresAt.IsZero() {
		return now.Sub(n.IssuedAt) >= unknownLifetime
	}
	return !now.Before(n.ExpiresAt)
}

// sorted is what is wanted, its scopes in order and each once.
func (w Want) sorted() Want {
	scope := slices.Clone(w.Scope)
	slices.Sort(scope)
	return Want{Scope: slices.Compact(scope), Resource: w.Resource}
}

func (w Want) scope() string { return strings.Join(w.Scope, " ") }

// Obtain is [Vault.Use] of an access token for a purpose. Where the provider narrows
// tokens (see [Source.Narrow]), it has no more than what is wanted: one is kept per
// resource and set of scopes, is refreshed down from the stored grant when there is
// none, and costs one look at the row. Elsewhere the stored token is returned if it
// covers the scopes.
// Errors as for Vault.Use; [ErrScope] if the grant does not cover a scope, and
// [ErrResource].
func (v *Vault) Obtain(ctx context.Context, subject, providerName string, want Want) (Access, error) {
	s := v.source(providerName)
	switch {
	case s == nil:
		return Access{}, fmt.Errorf("using token of %q: %w", providerName, ErrProvider)
	case s.narrower == nil && want.Resource != "":
		return Access{}, fmt.Errorf("using token of %s: %w", s.Name(), ErrResource)
	case s.narrower == nil, len(want.Scope) == 0 && want.Resource == "":
		return v.Use(ctx, subject, providerName, want.Scope...)
	}
	return v.narrow(ctx, s, subject, want.sorted())
}

func (v *Vault) narrow(ctx context.Context, s *source, subject string, want Want) (Access, error) {
	row, err := v.Store.ProviderToken(ctx, subject, s.issuer())
	if err != nil {
		return Access{}, err
	}
	for range rounds {
		t, err := v.open(row)
		if err != nil {
			return Access{}, err
		}
		if err := covers(t, s, want); err != nil {
			return Access{}, err
		}
		held, known := v.narrowedOf(t, want)
		if known && held.isFresh(v.Now()) && !t.NeedsReauth && t.AccessRevokedAt.IsZero() {
			return held.access(), nil
		}
		if err := v.refusal(s, t); err != nil {
			return Access{}, err
		}
		next, err := v.flyNarrow(ctx, s, row, want)
		switch {
		case errors.Is(err, provider.ErrUnavailable) && known && !held.isExpired(v.Now()):
			return held.access(), nil
		case errors.Is(err, provider.ErrTarget) && want.Resource == "":
			return Access{}, fmt.Errorf("using token of %s: %w %s", s.Name(), ErrScope, want.scope())
		case errors.Is(err, provider.ErrTarget):
			return Access{}, fmt.Errorf("using token of %s: %w", s.Name(), ErrResource)
		case err != nil:
			return Access{}, err
		case next.refreshed:
			return next.access, nil
		}
		row = next.row // somebody else wrote it
	}
	return Access{}, &UnavailableError{RetryAfter: firstBackoff}
}

// covers is ErrScope if the grant does not cover what is wanted. More is had by asking
// the person anew.
func covers(t Token, s *source, want Want) error {
	granted := t.GetScope()
	for _, scope := range want.Scope {
		if !slices.Contains(granted, scope) {
			return fmt.Errorf("using token of %s: %w %s", s.Name(), ErrScope, scope)
		}
	}
	return nil
}

// flyNarrow is one refresh down for one purpose, whoever waits for it.
func (v *Vault) flyNarrow(ctx context.Context, s *source, row tokenstore.ProviderToken, want Want) (outcome, error) {
	ask := func(ctx context.Context, s *source, t Token) (reply, error) {
		fresh, err := s.narrower.Narrow(ctx, t.RefreshToken, want.Scope, want.Resource)
		switch {
		case errors.Is(err, provider.ErrGrant):
			return askPlainly(ctx, s, t, err)
		case err != nil && fresh.RefreshToken == "" && !errors.Is(err, provider.ErrNotSpent):
			return outOfDoubt(ctx, s, t, err)
		case err != nil:
			return onlyRotated(fresh), err
		case !outbound.IsBearer(fresh.TokenType):
			return onlyRotated(fresh), fmt.Errorf("%w: its token is no bearer token", provider.ErrResponse)
		}
		return reply{token: &fresh, want: &want}, nil
	}
	key := "narrow:" + want.key() + ":" + flightKey(row)
	return v.inFlight(ctx, key, func(ctx context.Context) (outcome, error) {
		now, done, err := v.turns.take(ctx, v, row)
		if err != nil {
			return outcome{}, err
		}
		defer done()
		if now.Version != row.Version {
			t, err := v.open(now)
			held, known := v.narrowedOf(t, want)
			if err != nil || known && held.isFresh(v.Now()) || covers(t, s, want) != nil || v.refusal(s, t) != nil {
				return outcome{row: now}, nil // there is nothing to ask for any more
			}
		}
		return v.refresh(ctx, s, now, asking{ask: ask, purpose: purposeKey(row, want)})
	})
}

// outOfDoubt asks for the row's own token where a request for less had no end that tells
// whether the refresh token was spent. A client chooses what less it asks for; the row is
// not to stay in doubt for that, since nobody's session ends then when the provider
// refuses the grant.
func outOfDoubt(ctx context.Context, s *source, t Token, cause error) (reply, error) {
	if ctx.Err() != nil {
		return reply{}, cause
	}
	own, err := askForToken(ctx, s, t)
	own.doubt = true
	if isFinal(err) {
		return own, err
	}
	return own, cause
}

// askPlainly finds out whether a provider that answers invalid_grant to a request for less
// means the grant. Entra ID answers so for a resource that the person has not consented
// to, which ends no session:
// https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
func askPlainly(ctx context.Context, s *source, t Token, cause error) (reply, error) {
	own, err := askForToken(ctx, s, t)
	if err != nil {
		return own, err
	}
	return own, fmt.Errorf("%w, and refreshes the token itself: %s", provider.ErrTarget, cause.Error())
}

func (w Want) key() string { return w.Resource + " " + w.scope() }

// purposeKey names a row and a purpose. It is short, whatever a client asks for.
func purposeKey(row tokenstore.ProviderToken, want Want) string {
	sum := sha256.Sum256([]byte(want.key()))
	return string(sum[:]) + row.Subject
}

// narrowedOf finds what a row has for a purpose.
func (v *Vault) narrowedOf(t Token, want Want) (narrowed, bool) {
	for _, n := range v.openNarrowed(t.ProviderToken) {
		if n.Scope == want.scope() && n.Resource == want.Resource {
			return n, true
		}
	}
	return narrowed{}, false
}

// openNarrowed are the narrowed tokens of a row. What does not open is as if it were
// not there: it is had anew.
func (v *Vault) openNarrowed(row tokenstore.ProviderToken) []narrowed {
	if len(row.Narrowed) == 0 {
		return nil
	}
	plain, err := v.Keyring.Open(sealLabel, place(row, narrowedColumn), row.Narrowed)
	var list []narrowed
	if err != nil || json.Unmarshal(plain, &list) != nil {
		return nil
	}
	return list
}

func (v *Vault) sealNarrowed(row tokenstore.ProviderToken, list []narrowed) []byte {
	if len(list) == 0 {
		return nil
	}
	plain, err := json.Marshal(list)
	if err != nil {
		return nil // they are had anew
	}
	return v.Keyring.Seal(sealLabel, place(row, narrowedColumn), plain)
}

// sealWith seals what a row has with one more, for which the first of them make room.
func (v *Vault) sealWith(row tokenstore.ProviderToken, list []narrowed, made narrowed) []byte {
	for {
		sealed := v.sealNarrowed(row, append(slices.Clone(list), made))
		switch {
		case len(sealed) <= tokenstore.MaxNarrowed:
			return sealed
		case len(list) == 0:
			return nil // it is had anew each time
		}
		list = list[1:]
	}
}

// narrowedFor is what a provider gave for a purpose.
func (v *Vault) narrowedFor(want Want, fresh provider.Token) narrowed {
	made := narrowed{
		Scope: want.scope(), Resource: want.Resource, Granted: fresh.Scope, AccessToken: fresh.AccessToken, TokenType: fresh.TokenType,
		IssuedAt: v.Now(), ExpiresAt: accessExpiry(fresh.ExpiresAt, fresh.AccessToken),
	}
	if made.Granted == "" {
		made.Granted = want.scope() // RFC 6749, section 5.1: as it was asked for
	}
	return made
}

// withNarrowed is a row with the token that was refreshed down for a purpose, and what
// the provider rotated for it. The row's own access token stays as it is.
func (v *Vault) withNarrowed(row tokenstore.ProviderToken, t Token, made narrowed, fresh provider.Token, refresh string) tokenstore.ProviderToken {
	now := v.Now()
	list := slices.DeleteFunc(v.openNarrowed(row), func(n narrowed) bool {
		return n.isExpired(now) || n.Scope == made.Scope && n.Resource == made.Resource
	})
	if len(list) >= maxNarrowed {
		slices.SortFunc(list, func(a, b narrowed) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
		list = list[len(list)-maxNarrowed+1:]
	}
	until := v.refreshExpiry(fresh.RefreshExpiresAt, refresh)
	if refresh != t.RefreshToken || !fresh.RefreshExpiresAt.IsZero() || until.After(row.RefreshExpiresAt) {
		row.RefreshExpiresAt = until
	}
	row.NeedsReauth = false
	row = v.seal(row, t.AccessToken, refresh)
	row.Narrowed = v.sealWith(row, list, made)
	return row
}

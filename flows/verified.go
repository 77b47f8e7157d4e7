package flows

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// verified is what a provider has said of somebody whose session could not be
// stored then. The provider's code is spent, so it is kept with the flow for the
// browser that reloads the page: sealed, and no longer than the flow is valid.
type verified struct {
	// Code is the hash of the code that the provider said it for.
	Code   []byte          `json:"c"`
	Claims identity.Claims `json:"a"`
	Token  *provider.Token `json:"t,omitempty"`
	// IDToken, where the provider is to sign the person out and it is short.
	IDToken string `json:"i,omitempty"`
	// Session that was to be stored, and Lost, the attempts to do so.
	Session uuid.UUID `json:"s"`
	Lost    [][]byte  `json:"l,omitempty"`
}

// isFor reports whether the provider's answer was given for this very code.
func (v *verified) isFor(code string) bool {
	sum := sha256.Sum256([]byte(code))
	return v != nil && equal(v.Code, sum[:])
}

// newVerified is what a provider has just said for a code.
func newVerified(code string, result provider.Result) *verified {
	sum := sha256.Sum256([]byte(code))
	return &verified{Code: sum[:], Claims: result.Claims, Token: result.Token}
}

// start is the next attempt to store the session.
func (v *verified) start(g *Gateway) session.Start {
	if v.Session == uuid.Nil {
		v.Session = handle.NewID(g.Now(), g.Random)
	}
	s := session.Start{ID: v.Session, Claims: v.Claims, IDToken: v.IDToken, Replaces: slices.Clone(v.Lost)}
	copy(s.Secret[:], g.Keyring.Random(len(s.Secret)))
	if len(v.Lost) < tokenstore.MaxReplaces {
		v.Lost = append(v.Lost, handle.Handle{Secret: s.Secret}.SecretHash())
	}
	return s
}

// keepVerified keeps with the flow what the provider said, and which attempts to
// store the session have failed. It reports whether that could be kept.
func (g *Gateway) keepVerified(ctx context.Context, key string, flow providerFlow) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), authcode.GiveBackTimeout)
	defer cancel()
	_, err := g.Cache.AdvanceFlow(ctx, cache.Transition{
		Key: key, From: cache.Pending, To: cache.Pending, Value: sealed.Seal(g.Keyring, "flow", []byte(key), flow),
	})
	if err != nil {
		g.Logger.WarnContext(ctx, "an unfinished sign-in could not be kept for a retry", "error", err)
	}
	return err == nil
}

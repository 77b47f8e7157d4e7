package flows

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// maxReturnInState is the longest return address that travels in the state of a
// hand-over, in bytes. A longer one is stored until the browser comes back: an address
// of the portal that held it would be too long for what is in between.
const maxReturnInState = 1200

const handoverLabel = "hand-over state"

func returnKey(try attempt) string { return "return:" + try.id.String() }

// handoverState is the attempt's id and the return address, sealed, or only the id
// where the address is stored. Errors: [cache.ErrFull], [cache.ErrUnavailable].
func (g *Gateway) handoverState(r *web.Request, at web.Issuer, try attempt, returnTo string) (string, error) {
	head := encode(try.id[:]) + "."
	if len(returnTo) <= maxReturnInState {
		return head + g.Keyring.SealString(handoverLabel, handoverAAD(at, try), []byte(returnTo)), nil
	}
	return head, g.startFlowOf(r.Context(), cache.NewFlow{
		Key: returnKey(try), State: cache.Pending, Value: g.Keyring.Seal(handoverLabel, handoverAAD(at, try), []byte(returnTo)),
		Validity: web.FlowValidity, Owner: web.AddressKey(r.ClientIP),
	}, g.known.Person(r, at))
}

// notBegun answers a sign-in that could not be stored.
func (g *Gateway) notBegun(w http.ResponseWriter, r *web.Request, err error) {
	switch {
	case errors.Is(err, cache.ErrFull):
		g.tooMany(w, r, err)
	case errors.Is(err, cache.ErrInvalid):
		g.tooLarge(w, r, err)
	default:
		g.answers.Unavailable(w, r, err)
	}
}

// resumeHandover finds the attempt of a hand-over's state in this browser. Error:
// [cache.ErrUnavailable].
func (g *Gateway) resumeHandover(r *web.Request, at web.Issuer, state string) (attempt, string, web.FormFault, error) {
	var try attempt
	head, sealed, ok := strings.Cut(state, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if !ok || err != nil || len(raw) != len(try.id) {
		return try, "", web.FormForeign, nil
	}
	copy(try.id[:], raw)
	value := web.PathCookie(r.Request, at, try.cookie())
	if value == "" {
		return try, "", web.FormNoCookie, nil
	}
	try.secret, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimSuffix(value, finishedMark))
	if err != nil || len(try.secret) != 16 {
		return try, "", web.FormForeign, nil
	}
	var returnTo string
	if sealed != "" {
		var plain []byte
		plain, err = g.Keyring.OpenString(handoverLabel, handoverAAD(at, try), sealed)
		returnTo = string(plain)
	} else {
		returnTo, err = g.storedReturn(r, at, try)
	}
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		return try, "", web.FormFine, err
	case err != nil:
		return try, "", web.FormForeign, nil
	}
	return try, web.SafeReturnTo(returnTo), web.FormFine, nil
}

// storedReturn is the return address of an attempt that did not fit into its state. If
// it is gone, the browser goes to the beginning.
func (g *Gateway) storedReturn(r *web.Request, at web.Issuer, try attempt) (string, error) {
	flow, err := g.Cache.Flow(r.Context(), returnKey(try))
	value := flow.Value
	switch {
	case errors.Is(err, cache.ErrUsed):
		value = flow.Note
	case errors.Is(err, cache.ErrUnavailable):
		return "", err
	case err != nil:
		return "/", nil //nolint:nilerr // it has expired, or the cache has forgotten it
	}
	if value == nil {
		return "/", nil
	}
	plain, err := g.Keyring.Open(handoverLabel, handoverAAD(at, try), value)
	return string(plain), err
}

// finishedMark ends the value of an attempt's cookie once the attempt has succeeded.
const finishedMark = "."

// finishHandover lets the browser keep the attempt until it would have expired. Who
// goes back in its history and signs in once more then arrives where the sign-in was
// for, and need not be told that it was finished. Nothing depends on it.
func (g *Gateway) finishHandover(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt, returnTo string) {
	web.KeepPathCookie(w, at, try.cookie())
	web.SetPathCookie(w, at, try.cookie(), base64.RawURLEncoding.EncodeToString(try.secret)+finishedMark, web.FlowValidity)
	if len(returnTo) <= maxReturnInState {
		return
	}
	_, err := g.Cache.AdvanceFlow(r.Context(), cache.Transition{
		Key: returnKey(try), From: cache.Pending, To: cache.Done, Owner: web.AddressKey(r.ClientIP),
		Note: g.Keyring.Seal(handoverLabel, handoverAAD(at, try), []byte(returnTo)),
	})
	if err != nil {
		g.Logger.InfoContext(r.Context(), "the end of a hand-over could not be noted", "error", err)
	}
}

// isFinished reports whether this browser's attempt has succeeded before.
func (g *Gateway) isFinished(r *web.Request, at web.Issuer, try attempt) bool {
	return strings.HasSuffix(web.PathCookie(r.Request, at, try.cookie()), finishedMark)
}

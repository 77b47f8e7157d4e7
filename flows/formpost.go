package flows

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// A provider may have the browser post its answer (OAuth 2.0 Form Post Response
// Mode), as Apple does. That request comes from the provider's page, and so without
// our cookies (SameSite): whose browser it is cannot be told. The answer is kept with
// the flow that its state names, and the browser goes on by GET, where it is judged as
// any other. Nothing else is stored: who posts what belongs to no flow is led to the
// same refusal.

// providerAnswer is what a provider's answer holds.
type providerAnswer struct {
	Code  string `json:"c,omitempty"`
	Error string `json:"e,omitempty"`
	// Description of the error. Only one is looked at: see isExpiredThere.
	Description string `json:"d,omitempty"`
	Issuer      string `json:"i,omitempty"`
	// User is what Apple says of somebody's name at the first sign-in.
	User string `json:"u,omitempty"`
}

// answerIn reads the answer in a query or form. ok is false where it could be read in
// two ways.
func answerIn(values url.Values) (answer providerAnswer, ok bool) {
	if web.Repeated(values, callbackParameters...) != "" || values.Has("code") && values.Has("error") {
		return providerAnswer{}, false
	}
	answer = providerAnswer{Code: values.Get("code"), Error: values.Get("error"), Issuer: values.Get("iss")}
	if description := values.Get("error_description"); len(description) <= maxDescription {
		answer.Description = description
	}
	return answer, true
}

// maxDescription is the most that is kept of an error's description, in bytes.
const maxDescription = 256

// maxPostedCode and maxPostedIssuer are the most that is kept of a posted answer, in
// bytes. Whoever posts it has paid for the place of a sign-in that was begun, and no more.
const (
	maxPostedCode   = 4 << 10
	maxPostedIssuer = 512
)

// maxAppleUser is the most that is kept of what Apple says of a name, in bytes.
const maxAppleUser = 1024

// postsAnswers reports whether a provider was asked to answer by POST.
func (g *Gateway) postsAnswers(name string) bool {
	p, ok := g.providers[name].(provider.FormPoster)
	return ok && p.PostsAnswers()
}

// serveFormPost keeps a posted answer with its flow.
func (g *Gateway) serveFormPost(w http.ResponseWriter, r *web.Request, at web.Issuer, name string) {
	if err := r.ParseForm(); err != nil {
		g.badCallback(w, r, at, "The provider's answer cannot be read.")
		return
	}
	answer, ok := answerIn(r.PostForm)
	if !ok {
		g.badCallback(w, r, at, "The provider's answer is ambiguous.")
		return
	}
	if len(answer.Code) > maxPostedCode || len(answer.Issuer) > maxPostedIssuer {
		g.badCallback(w, r, at, "The provider's answer is too long.")
		return
	}
	if user := r.PostForm.Get("user"); len(user) <= maxAppleUser {
		answer.User = user
	}
	state := r.PostForm.Get("state")
	switch err := g.keepAnswer(r, name, state, answer); {
	case errors.Is(err, cache.ErrUnavailable):
		g.answers.Unavailable(w, r, err)
		return
	case errors.Is(err, cache.ErrInvalid):
		g.tooLarge(w, r, err)
		return
	}
	web.SeeOther(w, r, at.Path+"callback/"+name+"?"+url.Values{"state": {state}}.Encode())
}

// keepAnswer keeps an answer with the flow of a state, if there is one that waits for
// this provider.
func (g *Gateway) keepAnswer(r *web.Request, name, state string, answer providerAnswer) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil || len(raw) != 32 {
		return errRequest
	}
	var try attempt
	copy(try.id[:], raw)
	stored, err := g.Cache.Flow(r.Context(), flowKey(try))
	if err != nil {
		return err
	}
	flow, err := g.openFlow(stored)
	if err != nil || !flow.isOf(name) {
		return errRequest
	}
	flow.Answer = &answer
	kept := sealed.Seal(g.Keyring, "flow", []byte(stored.Key), flow)
	if len(kept) > maxBegun+keyring.Overhead {
		return fmt.Errorf("a flow of %d bytes: %w", len(kept), cache.ErrInvalid)
	}
	_, err = g.Cache.AdvanceFlow(r.Context(), cache.Transition{
		Key: stored.Key, From: cache.Pending, To: cache.Pending, Value: kept,
	})
	return err
}

package flows

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// authRequest is what a sign-in is for. It travels sealed, through the pages in
// a form field or link and through a provider in the flow, so that a page that
// nobody answers has cost no storage.
type authRequest struct {
	// Client that asks; for a guarded site its host name.
	Client string `json:"c"`
	// ReturnTo within the site, when the site is its own issuer.
	ReturnTo string `json:"r,omitempty"`
	// RedirectURI, State and Challenge of an authorization request; empty
	// when ReturnTo is set.
	RedirectURI string `json:"u,omitempty"`
	State       string `json:"s,omitempty"`
	Challenge   string `json:"h,omitempty"`
	// Implied tells that the request left the redirect URI out, and so must
	// the redemption (RFC 6749, section 4.1.3).
	Implied bool `json:"i,omitempty"`
	// Mode in which the client is answered; "" is query.
	Mode     string   `json:"g,omitempty"`
	Scope    string   `json:"o,omitempty"`
	leftOut  []string // of the scope that was asked for
	Resource []string `json:"x,omitempty"`
	Nonce    string   `json:"n,omitempty"`
	JKT      string   `json:"k,omitempty"`
	// MaxAge in seconds, plus one; 0 is unset.
	MaxAge int `json:"m,omitempty"`
	// Prompt, LoginHint and ACRValues are passed on to the provider.
	Prompt string `json:"p,omitempty"`
	// Own: the select_account in Prompt is a wish of ours, which nobody asked for.
	Own bool `json:"q,omitempty"`
	// Tried is the rank of the last prompt of our own that a provider refused.
	Tried int `json:"z,omitempty"`
	// Again: the sign-in was begun anew, since the provider's page had expired.
	Again     bool   `json:"ag,omitempty"`
	LoginHint string `json:"l,omitempty"`
	ACRValues string `json:"v,omitempty"`
	// ACREssential: a sign-in by none of ACRValues has failed.
	ACREssential bool `json:"ae,omitempty"`
	// Hint is the subject that the request is about, if it named one.
	Hint string `json:"b,omitempty"`
	// Provider that must be signed in at: its token is wanted.
	Provider string `json:"w,omitempty"`
	// Pick is the provider that the guard sends people to, if nobody is signed in.
	Pick string `json:"pk,omitempty"`
	// ProviderScope to ask the provider for, beside its configured scopes.
	ProviderScope string `json:"scope,omitempty"`
	// Step is what the person is to prove beyond a sign-in; nil: nothing. sealedStep is
	// how it came.
	Step       *stepup.Step `json:"st,omitempty"`
	sealedStep string
	// Link that the sign-in at the provider is for; nil: it signs in.
	Link *linkRequest `json:"link,omitempty"`
	// Connected are the providers that the person was led to for their tokens, for the
	// sake of the resource.
	Connected []string `json:"cn,omitempty"`
	// Device is the user code that is to be confirmed after the sign-in.
	Device string `json:"d,omitempty"`
	// Session that was asked for consent, and Consented, its answer.
	Session   string `json:"e,omitempty"`
	Consented bool   `json:"y,omitempty"`
	// Document is the digest of the client's metadata document that was asked about.
	Document string `json:"doc,omitempty"`
	// Begun at, in seconds since 1970.
	Begun int64 `json:"t"`
}

// forSite reports whether the sign-in is for the very site that it happens at.
func (a *authRequest) forSite() bool { return a.RedirectURI == "" && a.Device == "" }

var errRequest = errors.New("sign-in request is malformed or too old")

func (g *Gateway) sealRequest(at web.Issuer, a authRequest) string {
	return sealed.SealString(g.Keyring, "auth request", []byte(at.ID()), a)
}

// openRequest opens what sealRequest made at the same place within the last
// hour: a sign-in page may stay open over a coffee. An older one comes with the error.
func (g *Gateway) openRequest(at web.Issuer, request string) (authRequest, error) {
	a, err := sealed.OpenString[authRequest](g.Keyring, "auth request", []byte(at.ID()), request)
	if err != nil {
		return a, errRequest
	}
	age := g.Now().Sub(time.Unix(a.Begun, 0))
	if age < -5*time.Minute || age > time.Hour {
		return a, errRequest
	}
	return a, nil
}

// maxAge is how old a sign-in may be, or -1 for any.
func (a *authRequest) maxAge() time.Duration {
	if a.MaxAge == 0 {
		return -1
	}
	return time.Duration(a.MaxAge-1) * time.Second
}

// providerPrompt is what of the prompt concerns the provider: consent to our
// clients is our own question.
func (a *authRequest) providerPrompt() string {
	for _, p := range []string{"login", "select_account"} {
		if a.asks(p) {
			return p
		}
	}
	return ""
}

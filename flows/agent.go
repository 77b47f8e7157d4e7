package flows

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Documents that one person may have fetched within a time.
const (
	maxDocuments   = 60
	documentWindow = 10 * time.Minute
)

// settle makes sure of a client, now that somebody has signed in: its metadata document is
// read, if it has one, and what it asks for is still open to it. Whoever is not signed in
// has us fetch nothing. A client of the configuration is returned as it is.
func (g *Gateway) settle(r *web.Request, at web.Issuer, c *client.Client, a *authRequest, id *identity.Identity) (*client.Client, *authorizeFault) {
	if !c.SelfRegistered {
		return c, nil
	}
	if isUnread(c) {
		read, fault := g.readDocument(r, c, id)
		if fault != nil {
			return c, fault
		}
		c = read
	}
	if !c.AllowsRedirect(a.RedirectURI) {
		return c, &authorizeFault{code: "invalid_request", description: "The address to return to (redirect_uri) is not one of the client's."}
	}
	if len(a.Resource) != 1 || g.opened(at, a.Resource[0]) == nil {
		return c, &authorizeFault{code: "invalid_target", description: "What the application asks for isn't open to applications that registered themselves."}
	}
	c = g.limited(at, c, a.Resource)
	a.Scope = strings.Join(c.StillAllowed(strings.Fields(a.Scope)), " ")
	return c, nil
}

// readDocument reads the metadata document of a client for somebody who has signed in.
func (g *Gateway) readDocument(r *web.Request, c *client.Client, id *identity.Identity) (*client.Client, *authorizeFault) {
	if g.Registration.Documents == nil {
		return nil, &authorizeFault{code: "invalid_client", description: unknownClient}
	}
	mayFetch := func() error {
		counted, err := g.Cache.Add(r.Context(), cache.Count{Key: "document:" + id.Subject, Limit: maxDocuments, Window: documentWindow})
		if err == nil && counted[0].Count > maxDocuments {
			err = cache.ErrFull
		}
		return err
	}
	said, err := g.Registration.Documents.Read(r.Context(), c.ID, mayFetch)
	switch {
	case errors.Is(err, cache.ErrFull):
		return nil, &authorizeFault{code: "temporarily_unavailable", description: "You have come from very many applications. Please try again in a few minutes."}
	case err != nil:
		g.Logger.WarnContext(r.Context(), "the metadata document of a client cannot be used", "client_id", shortened(c.ID), "error", err)
		return nil, &authorizeFault{code: "invalid_client", description: "What the application at " + documentHost(c.ID) + " says of itself can't be read: " + documentFault(err) + "."}
	}
	read := said.Client(c.ID)
	read.Document = said.Digest()
	return read, nil
}

// documentFault is what is wrong with a document, for a page. What the network says of
// addresses that somebody else chose stays in the log.
func documentFault(err error) string {
	if fault, ok := errors.AsType[*registration.Error](err); ok {
		return fault.Description
	}
	return "it can't be fetched"
}

// documentHost is the host of a metadata document.
func documentHost(id string) string {
	u, err := url.Parse(id)
	if err != nil {
		return id
	}
	return u.Host
}

// cannotSettle answers a request of a client that cannot be made sure of.
func (g *Gateway) cannotSettle(w http.ResponseWriter, r *web.Request, a authRequest, fault *authorizeFault) {
	reference := g.newReference()
	g.logRefusal(r.Request, levelOfError(fault.code, true), shortened(a.Client), fault.code, fault.description, reference, "redirect_uri", shortened(a.RedirectURI), "client_ip", r.ClientIP)
	g.agentFault(w, r, fault.code, fault.description, reference)
}

// agentFault says what is wrong with a request of a client that registered itself.
func (g *Gateway) agentFault(w http.ResponseWriter, r *web.Request, code, description, reference string) {
	status := http.StatusBadRequest
	if code == "temporarily_unavailable" {
		status = http.StatusServiceUnavailable
	}
	title := "This application can't be let in"
	if code == "access_denied" || code == "login_required" {
		title = "You were not signed in to the application"
	}
	g.Pages.Fault(w, r.Request, status, page.Fault{Title: title, Message: capitalized(description), Detail: code, SupportID: reference})
}

// capitalized is an error's text as a sentence.
func capitalized(text string) string {
	if text == "" {
		return text
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	return strings.TrimSuffix(text, ".") + "."
}

// agentPlace is where somebody signs in for a client that registered itself. The name that
// it gave itself waits for the consent page, which says whose word that is.
func (g *Gateway) agentPlace(at web.Issuer, id string) string {
	if registration.IsDocument(id) {
		return documentHost(id)
	}
	r := registration.Open(g.Keyring, at.ID(), id, g.Now())
	if r == nil || r.IsNative() {
		return "an application on your device"
	}
	return answerHost(r.RedirectURIs[0])
}

// agentTitle is what a client that registered itself is called in front of people. Its
// name is its own word for itself.
func (g *Gateway) agentTitle(at web.Issuer, id string) string {
	if registration.IsDocument(id) {
		return documentHost(id)
	}
	if r := registration.Open(g.Keyring, at.ID(), id, g.Now()); r != nil {
		return agentName(r)
	}
	return unknownAgent
}

// unknownAgent is a client whose registration cannot be read any more.
const unknownAgent = "An application"

// agentName is the name that a client gave itself, or if none, where it is answered.
func agentName(r *registration.Registration) string {
	if r.Name != "" {
		return r.Name
	}
	return answerHost(r.RedirectURIs[0])
}

// answerHost is where an answer to a redirect URI goes: a host of the web; else the
// scheme comes first, which says more than what a stranger wrote behind it.
func answerHost(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	switch {
	case err != nil || u.Hostname() == "":
		return redirectURI
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Hostname()
	}
	return u.Scheme + "://" + u.Host
}

// What stands among the scopes of a consent: for a metadata document as it was read, for
// where the answer goes, and for a provider's token that goes upstream at a resource.
const (
	documentConsent = "document "
	answerConsent   = "answer "
	tokenConsent    = "token "
)

// askedOf is asked, with what consent to a client that registered itself is for beside: the
// document as it was read, the host that the page named, and the tokens that the client will
// act with. A client can register several addresses, of which one is trusted and another
// is a thief's.
func (g *Gateway) askedOf(at web.Issuer, c *client.Client, a *authRequest) []string {
	all := asked(at, c, a.Scope, a.Resource)
	if !c.SelfRegistered {
		return all
	}
	for _, resource := range a.Resource {
		if o := g.opened(at, resource); o != nil {
			for _, name := range o.ProviderTokens {
				all = append(all, tokenConsent+name+" "+resource)
			}
		}
	}
	all = append(all, answerConsent+answerHost(a.RedirectURI))
	if c.Document != "" {
		all = append(all, documentConsent+c.Document)
	}
	return all
}

// isOfOtherDocument reports whether a consent was given to what a client's metadata
// document said before.
func isOfOtherDocument(c *client.Client, given []string) bool {
	return c.SelfRegistered && slices.ContainsFunc(given, func(s string) bool {
		digest, ok := strings.CutPrefix(s, documentConsent)
		return ok && digest != c.Document
	})
}

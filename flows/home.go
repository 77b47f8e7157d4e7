package flows

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// homeSessions on one page.
const homeSessions = 20

// serveHome is a person's own page at the portal, or at a site that is its own
// issuer: where they are signed in, what they allowed, and how to end either.
func (g *Gateway) serveHome(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	switch {
	case id == nil:
		a := g.homeRequest(at)
		g.chooseAfterSignOut(r, at, &a)
		g.Pages.SignedOut(w, r.Request, http.StatusOK, page.SignedOut{Site: at.Host, NotIn: true, SignInURL: g.signInAt(at, a)})
	case r.Method == http.MethodPost:
		g.changeHome(w, r, at, id)
	default:
		g.homePage(w, r, at, id, "")
	}
}

// homeRequest is a sign-in that leads to a person's own page.
func (g *Gateway) homeRequest(at web.Issuer) authRequest {
	return authRequest{Client: at.Host, ReturnTo: at.Path, Begun: g.Now().Unix()}
}

// signInAt is where a request goes on that has asked nobody yet.
func (g *Gateway) signInAt(at web.Issuer, a authRequest) string {
	return at.Path + "signin?request=" + g.sealRequest(at, a)
}

func (g *Gateway) homePage(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity, message string) {
	query, ok := g.answers.PageQuery(w, r, at)
	if !ok {
		return
	}
	before, _ := uuid.Parse(query.Get("before"))
	rows, err := g.Store.ListSessions(r.Context(), tokenstore.SessionQuery{Subject: id.Subject, Limit: homeSessions, Before: before})
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	consents, err := g.Store.Consents(r.Context(), id.Subject)
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	p := page.Home{
		User: id.User, Action: at.Path, SignOutURL: at.Path + "logout", Message: message,
		Fields: []page.Field{web.FormToken(g.Keyring, w, r.Request, at)},
	}
	renewed := make(map[uuid.UUID]bool)
	for _, row := range rows {
		renewed[g.Sessions.Renews(row)] = true
		if renewed[row.ID] && row.ID != id.SessionID || g.isSelfRegistered(row.ClientID) {
			continue // one sign-in with a later one, or an agent's
		}
		p.Sessions = append(p.Sessions, page.Session{
			ID: row.ID.String(), Site: g.siteTitle(at, row.ClientID), UserAgent: row.UserAgent, Since: row.CreatedAt,
			LastSeen: row.SeenAt, Current: row.ID == id.SessionID,
		})
	}
	if err := g.homeAgents(r.Context(), at, id.Subject, consents, &p); err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	for _, consent := range consents {
		if g.isSelfRegistered(consent.ClientID) {
			continue
		}
		a := page.Application{ID: consent.ClientID, Title: g.siteTitle(at, consent.ClientID)}
		for _, s := range consent.Scope {
			a.Scopes = append(a.Scopes, g.plainScope(s))
		}
		p.Applications = append(p.Applications, a)
	}
	linked, err := g.Store.Identities(r.Context(), id.Subject)
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	g.homeIdentities(at, id, linked, &p)
	if err := g.homeDelegations(r, at, id, linked, &p); err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	p.Applications, p.MoreApplications = listed(at, query, "applications", p.Applications)
	p.Agents, p.MoreAgents = listed(at, query, "agents", p.Agents)
	p.Identities, p.MoreIdentities = listed(at, query, "accounts", p.Identities)
	p.Linkable, p.MoreLinkable = listed(at, query, "connect", p.Linkable)
	p.Delegations, p.MoreDelegations = listed(at, query, "away", p.Delegations)
	if len(rows) == homeSessions {
		p.MoreURL = at.Path + "?" + url.Values{"before": {rows[len(rows)-1].ID.String()}}.Encode()
	}
	g.Pages.Home(w, r.Request, http.StatusOK, p)
}

// listed is what one page shows of a list, from where the query says on, and where the
// rest is.
func listed[T any](at web.Issuer, query url.Values, name string, list []T) ([]T, page.More) {
	from, err := strconv.Atoi(query.Get(name))
	if err != nil || from < 0 || from >= len(list) {
		from = 0
	}
	rest := list[from:]
	if len(rest) <= page.MaxListed {
		return rest, page.More{}
	}
	next := url.Values{name: {strconv.Itoa(from + page.MaxListed)}}
	return rest[:page.MaxListed], page.More{URL: at.Path + "?" + next.Encode(), Count: len(rest) - page.MaxListed}
}

// siteTitle is what people know a client by.
func (g *Gateway) siteTitle(at web.Issuer, clientID string) string {
	if clientID == portalClient {
		return at.Host
	}
	if c := g.Clients[clientID]; c != nil {
		return c.Title
	}
	if g.isSelfRegistered(clientID) {
		return g.agentTitle(at, clientID)
	}
	return clientID
}

// changeHome ends a session, or withdraws a consent and ends what the
// application got by it.
func (g *Gateway) changeHome(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity) {
	if err := r.ParseForm(); err != nil || web.CheckForm(g.Keyring, r, at) != web.FormFine {
		g.startOver(w, r, at, "the form is not of this browser, or of a page that is too old")
		return
	}
	message := "That session has ended."
	var err error
	if named := r.PostForm.Get(page.FieldIdentity); named != "" {
		message = "Disconnected."
		err = g.unlinkOwn(r, id, named)
	} else if named := r.PostForm.Get(page.FieldAllow); named != "" {
		message = "Allowed."
		err = g.delegateOwn(r.Context(), id, named, true)
	} else if named := r.PostForm.Get(page.FieldForbid); named != "" {
		message = "Forbidden. It no longer gets your tokens."
		err = g.delegateOwn(r.Context(), id, named, false)
	} else if clientID := r.PostForm.Get(page.FieldClient); clientID != "" {
		message = g.siteTitle(at, clientID) + " no longer has access."
		err = g.withdraw(r.Context(), id.Subject, clientID)
	} else {
		err = g.endOwn(r, id.Subject, r.PostForm.Get(page.FieldSession))
	}
	switch {
	case errors.Is(err, tokenstore.ErrConflict):
		message = "That is the only way in which you can sign in, so it stays."
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrInvalid):
		message = "That has ended already, or is not one of yours."
	case err != nil:
		g.answers.Unavailable(w, r, err)
		return
	}
	g.homePage(w, r, at, id, message)
}

// endOwn ends a session of the subject's own; of another's it knows nothing.
func (g *Gateway) endOwn(r *web.Request, subject, raw string) error {
	session, err := uuid.Parse(raw)
	if err != nil {
		return tokenstore.ErrNotFound
	}
	row, err := g.Store.Session(r.Context(), session)
	if err != nil {
		return err
	}
	if row.Subject != subject {
		return tokenstore.ErrNotFound
	}
	if row.Parent == uuid.Nil {
		return g.signouts.EndSession(r.Context(), row.ID)
	}
	return g.signouts.EndOne(r.Context(), row)
}

// withdraw takes a consent back and ends what the application got by it, though
// the browser may have left after the first. Where the consent has gone already,
// an earlier withdrawal may have come no further; [tokenstore.ErrNotFound] if
// nothing was left to be done.
func (g *Gateway) withdraw(ctx context.Context, subject, clientID string) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	missing := g.Store.DeleteConsent(ctx, subject, clientID)
	if missing != nil && (!errors.Is(missing, tokenstore.ErrNotFound) || g.Clients[clientID] == nil && !g.isSelfRegistered(clientID)) {
		return missing
	}
	query := tokenstore.SessionQuery{Subject: subject, ClientID: clientID, Limit: 500}
	for row, err := range tokenstore.EachSession(ctx, g.Store, query) {
		if err != nil {
			return err
		}
		missing = nil
		if err := g.signouts.EndOne(ctx, row); err != nil {
			return err
		}
	}
	return missing
}

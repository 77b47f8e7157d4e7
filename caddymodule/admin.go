package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin is the part of Caddy's admin API that is about Gatehouse. What only
// reads and what changes something have different prefixes, so that remote
// access can be granted to one of them.
//
//	GET  /gatehouse/health    what the gateway says of itself; 503 when degraded, unless ?status=200; with ?providers=true
//	                          each provider is asked whether it works
//	GET  /gatehouse/sessions  the sessions of ?subject=, or ?all=true; ?before= and ?limit= page
//	GET  /gatehouse/explain   which rules let ?user= in at ?url=, or keep them out
//	POST /gatehouse/revoke    ends ?session= with the sign-in that it came from, or all of ?subject=; 404 when unknown
//	GET  /gatehouse/agents    the clients that registered themselves and that ?subject= let in, or ?all=true those that have
//	                          sessions
//	POST /gatehouse/end-agent ends ?client_id= for ?subject=, or with ?all=true for everybody; 404 where there is nothing to end
//	POST /gatehouse/rotate-keys  publishes new signing keys; with ?lost_secret=true replaces those that no configured secret opens
//	GET  /gatehouse/tokens    the provider tokens that are kept, never their values: of ?subject=, ?provider=, ?client_id=,
//	                          ?expired_before= (RFC 3339), ?revoked=true|false, or ?all=true; ?after_subject=, ?after_issuer=
//	                          and ?limit= page
//	POST /gatehouse/remove-tokens  removes those that the same conditions name, and has them revoked at their providers;
//	                          or the one whose access or refresh token is in the body, as the form token=…
//	GET  /gatehouse/subject   ?subject= and its identities
//	POST /gatehouse/link      lets the identity ?id= at ?provider= belong to ?subject=; 409 where it is another's
//	POST /gatehouse/unlink    takes it away, with its token and sessions; 409 where it is the last one
//	POST /gatehouse/suspend   keeps ?subject= out until /gatehouse/resume
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.gatehouse", New: func() caddy.Module { return new(Admin) }}
}

// Routes implements [caddy.AdminRouter].
func (*Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/gatehouse/health", Handler: adminHandler(http.MethodGet, (*App).adminHealth)},
		{Pattern: "/gatehouse/sessions", Handler: adminHandler(http.MethodGet, (*App).adminSessions)},
		{Pattern: "/gatehouse/agents", Handler: adminHandler(http.MethodGet, (*App).adminAgents)},
		{Pattern: "/gatehouse/end-agent", Handler: adminHandler(http.MethodPost, (*App).adminEndAgent)},
		{Pattern: "/gatehouse/explain", Handler: adminHandler(http.MethodGet, (*App).adminExplain)},
		{Pattern: "/gatehouse/revoke", Handler: adminHandler(http.MethodPost, (*App).adminRevoke)},
		{Pattern: "/gatehouse/rotate-keys", Handler: adminHandler(http.MethodPost, (*App).adminRotateKeys)},
		{Pattern: "/gatehouse/tokens", Handler: adminHandler(http.MethodGet, (*App).adminTokens)},
		{Pattern: "/gatehouse/remove-tokens", Handler: adminHandler(http.MethodPost, (*App).adminRemoveTokens)},
		{Pattern: "/gatehouse/subject", Handler: adminHandler(http.MethodGet, (*App).adminSubject)},
		{Pattern: "/gatehouse/link", Handler: adminHandler(http.MethodPost, (*App).adminLink)},
		{Pattern: "/gatehouse/unlink", Handler: adminHandler(http.MethodPost, (*App).adminUnlink)},
		{Pattern: "/gatehouse/suspend", Handler: adminHandler(http.MethodPost, (*App).adminSuspend)},
		{Pattern: "/gatehouse/resume", Handler: adminHandler(http.MethodPost, (*App).adminResume)},
	}
}

// adminHandler hands a request to the app that runs now. The admin server
// outlives a failed reload, so an app is not kept here.
func adminHandler(method string, handle func(*App, http.ResponseWriter, *http.Request) error) caddy.AdminHandler {
	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != method {
			w.Header().Set("Allow", method)
			return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("method not allowed")}
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			return badRequest(fmt.Errorf("the query cannot be read: %w", err)) // what is lost of it might be a condition
		}
		app := runningApp()
		if app == nil {
			return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("gatehouse is not running")}
		}
		w.Header().Set("Cache-Control", "no-store")
		return handle(app, w, r)
	})
}

func (a *App) adminHealth(w http.ResponseWriter, r *http.Request) error {
	health := a.health(r.Context())
	if r.URL.Query().Get("providers") == "true" {
		a.checkProviders(r.Context(), &health)
	}
	status := http.StatusOK
	if health.Status != "ok" && r.URL.Query().Get("status") != "200" {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, health)
}

// SessionInfo is one session in a listing.
type SessionInfo struct {
	ID        uuid.UUID  `json:"id"`
	Parent    *uuid.UUID `json:"parent,omitempty"`
	Subject   string     `json:"subject"`
	User      string     `json:"user,omitempty"`
	ClientID  string     `json:"client_id"`
	Provider  string     `json:"provider"`
	UserAgent string     `json:"user_agent,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	SeenAt    time.Time  `json:"seen_at"`
	EndsAt    time.Time  `json:"ends_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Suspended bool       `json:"suspended,omitempty"`
}

func (a *App) adminSessions(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	q := tokenstore.SessionQuery{Subject: query.Get("subject"), ClientID: query.Get("client_id"), All: query.Get("all") == "true"}
	if q.Subject == "" && !q.All {
		return badRequest(errors.New("say whose: subject=… or all=true"))
	}
	var err error
	if limit := query.Get("limit"); limit != "" {
		if q.Limit, err = strconv.Atoi(limit); err != nil || q.Limit < 1 || q.Limit > tokenstore.MaxPage {
			return badRequest(errors.New("limit is not a number from 1 to 1000"))
		}
	}
	if before := query.Get("before"); before != "" {
		if q.Before, err = uuid.Parse(before); err != nil {
			return badRequest(errors.New("before is not a session id"))
		}
	}
	rows, err := a.shared.store.ListSessions(r.Context(), q)
	if err != nil {
		return a.adminError("listing sessions", err)
	}
	sessions := make([]SessionInfo, 0, len(rows))
	for _, row := range rows {
		sessions = append(sessions, a.sessionInfo(row))
	}
	return writeJSON(w, http.StatusOK, sessionPage{Sessions: sessions})
}

func (a *App) sessionInfo(row tokenstore.Session) SessionInfo {
	info := SessionInfo{
		ID: row.ID, Subject: row.Subject, ClientID: row.ClientID, Provider: row.Provider, UserAgent: row.UserAgent,
		CreatedAt: row.CreatedAt, SeenAt: row.SeenAt, EndsAt: row.EndsAt(), Suspended: row.Suspended,
	}
	if info.SeenAt.IsZero() {
		info.SeenAt = row.CreatedAt
	}
	if row.Parent != uuid.Nil {
		info.Parent = &row.Parent
	}
	if !row.RevokedAt.IsZero() {
		info.RevokedAt = &row.RevokedAt
	}
	if claims, err := a.shared.sessions.Claims(row); err == nil || errors.Is(err, provider.ErrGone) {
		info.User = claims.User
	}
	return info
}

// adminRevoke ends sessions. What is unknown is ended all the same, since nodes
// may know a session that the store has lost, and then said to be unknown: who
// believes to have shut somebody out must not be wrong.
func (a *App) adminRevoke(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	subject, session := query.Get("subject"), query.Get("session")
	switch {
	case (subject == "") == (session == ""):
		return badRequest(errors.New("say what to end: either session=… or subject=…"))
	case subject != "":
		if err := a.gateway.Load().EndSubject(r.Context(), subject); err != nil {
			return a.adminError("ending sessions", err)
		}
		if _, err := a.shared.store.Subject(r.Context(), subject); errors.Is(err, tokenstore.ErrNotFound) {
			return notFound(fmt.Errorf("there is no subject %q. %s", subject, aboutSubjects))
		}
	default:
		id, err := uuid.Parse(session)
		if err != nil {
			return badRequest(fmt.Errorf("%q is not a session id", session))
		}
		if err := a.gateway.Load().EndSession(r.Context(), id); err != nil {
			return a.adminError("ending session", err)
		}
		if _, err := a.shared.store.Session(r.Context(), id); errors.Is(err, tokenstore.ErrNotFound) {
			return notFound(fmt.Errorf("there is no session %s", id))
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// adminError logs the detail and answers what the caller can do something about.
func (a *App) adminError(doing string, err error) error {
	a.logger.Error(doing, "error", err)
	switch {
	case errors.Is(err, tokenstore.ErrUnavailable):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: fmt.Errorf("%s: the token store is unavailable", doing)}
	case errors.Is(err, tokenstore.ErrInvalid):
		return badRequest(fmt.Errorf("%s: an argument is not acceptable", doing))
	}
	return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: fmt.Errorf("%s failed; the log says more", doing)}
}

func badRequest(err error) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
}

func conflict(err error) error {
	return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
}

func notFound(err error) error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

// Interface guard
var _ caddy.AdminRouter = (*Admin)(nil)

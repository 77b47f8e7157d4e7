package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SubjectInfo is a person or program, and how it can sign in.
type SubjectInfo struct {
	Subject     string         `json:"subject"`
	CreatedAt   time.Time      `json:"created_at"`
	SuspendedAt *time.Time     `json:"suspended_at,omitempty"`
	Identities  []IdentityInfo `json:"identities"`
	// Delegations are the clients that may act for it while it is away, and those that
	// it has forbidden to.
	Delegations []DelegationInfo `json:"delegations"`
}

// IdentityInfo is an identity at a provider.
type IdentityInfo struct {
	Provider string `json:"provider,omitempty"` // "" if it is not configured any more
	Issuer   string `json:"issuer"`
	ID       string `json:"id"`
}

// DelegationInfo is what a subject has said of a client that acts for it while it is away.
// Without either time, an administrator's policy decides, and the client has used that.
type DelegationInfo struct {
	ClientID    string     `json:"client_id"`
	Provider    string     `json:"provider,omitempty"` // "" if it is not configured any more
	Issuer      string     `json:"issuer"`
	AllowedAt   *time.Time `json:"allowed_at,omitempty"`
	ForbiddenAt *time.Time `json:"forbidden_at,omitempty"`
	LastUsedAt  *time.Time `json:"last_used_at,omitempty"`
}

// adminSubject shows a subject.
func (a *App) adminSubject(w http.ResponseWriter, r *http.Request) error {
	subject, err := parameters(r.URL.Query(), "subject")
	if err != nil {
		return badRequest(err)
	}
	found, err := a.shared.store.Subject(r.Context(), subject[0])
	if err != nil {
		return a.subjectError("reading a subject", subject[0], err)
	}
	linked, err := a.shared.store.Identities(r.Context(), subject[0])
	if err != nil {
		return a.adminError("reading a subject", err)
	}
	said, err := a.shared.store.Delegations(r.Context(), subject[0])
	if err != nil {
		return a.adminError("reading a subject", err)
	}
	info := SubjectInfo{
		Subject: found.ID, CreatedAt: found.CreatedAt, SuspendedAt: unlessZero(found.SuspendedAt),
		Identities: []IdentityInfo{}, Delegations: []DelegationInfo{},
	}
	for _, id := range linked {
		info.Identities = append(info.Identities, IdentityInfo{Provider: a.providerOf(id.Issuer), Issuer: id.Issuer, ID: id.Subject})
	}
	for _, d := range said {
		info.Delegations = append(info.Delegations, DelegationInfo{
			ClientID: d.ClientID, Provider: a.providerOf(d.Provider), Issuer: d.Provider,
			AllowedAt: unlessZero(d.AllowedAt), ForbiddenAt: unlessZero(d.ForbiddenAt), LastUsedAt: unlessZero(d.UsedAt),
		})
	}
	return writeJSON(w, http.StatusOK, info)
}

// providerOf is the name of an issuer's provider, or "" if it is not configured any more.
func (a *App) providerOf(issuer string) string {
	for _, p := range a.providers {
		if p.Issuer() == issuer {
			return p.Name()
		}
	}
	return ""
}

func (a *App) adminLink(w http.ResponseWriter, r *http.Request) error {
	given, err := parameters(r.URL.Query(), "subject", "provider", "id")
	if err != nil {
		return badRequest(err)
	}
	err = a.gateway.Load().LinkBy(r.Context(), given[0], given[1], given[2])
	if err != nil {
		return a.subjectError("linking an identity", given[0], err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *App) adminUnlink(w http.ResponseWriter, r *http.Request) error {
	given, err := parameters(r.URL.Query(), "subject", "provider", "id")
	if err != nil {
		return badRequest(err)
	}
	issuer := given[1]
	for _, p := range a.providers {
		if p.Name() == issuer {
			issuer = p.Issuer()
		}
	}
	err = a.gateway.Load().Unlink(r.Context(), given[0], tokenstore.Identity{Issuer: issuer, Subject: given[2]})
	if err != nil {
		return a.subjectError("unlinking an identity", given[0], err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *App) adminSuspend(w http.ResponseWriter, r *http.Request) error {
	return a.setSuspended(w, r, true)
}

func (a *App) adminResume(w http.ResponseWriter, r *http.Request) error {
	return a.setSuspended(w, r, false)
}

func (a *App) setSuspended(w http.ResponseWriter, r *http.Request, suspended bool) error {
	given, err := parameters(r.URL.Query(), "subject")
	if err != nil {
		return badRequest(err)
	}
	if err := a.gateway.Load().Suspend(r.Context(), given[0], suspended); err != nil {
		return a.subjectError("suspending a subject", given[0], err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// parameters are the values of a query that has exactly these, each once.
func parameters(query url.Values, names ...string) ([]string, error) {
	values := make([]string, 0, len(names))
	for _, name := range names {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return nil, fmt.Errorf("say %s=…, once", name)
		}
		values = append(values, query.Get(name))
	}
	if len(query) != len(names) {
		return nil, errors.New("there is a parameter that is unknown")
	}
	return values, nil
}

// subjectError says what a caller can do something about.
func (a *App) subjectError(doing, subject string, err error) error {
	switch {
	case errors.Is(err, vault.ErrProvider):
		return badRequest(fmt.Errorf("there is no such provider; known: %v", a.providerNames()))
	case flows.IsLinkTaken(err):
		return conflict(errors.New("another identity of that provider is linked to the subject; unlink it first"))
	case errors.Is(err, tokenstore.ErrExists):
		return conflict(errors.New("that identity belongs to another subject, and never moves by itself; unlink it there first"))
	case errors.Is(err, tokenstore.ErrConflict):
		return conflict(errors.New("that is the subject's last identity; to keep somebody out: subjects suspend"))
	case errors.Is(err, tokenstore.ErrNotFound):
		return notFound(fmt.Errorf("there is no subject %q, or it has no such identity. %s", subject, aboutSubjects))
	}
	return a.adminError(doing, err)
}

package web

import (
	"log/slog"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// Answers writes the answers that all endpoints share, in the caller's own terms: a
// page for a person, problem details for a program, a status for gRPC.
type Answers struct {
	Pages  *page.Renderer
	Logger *slog.Logger
	// Titles of the providers, by name.
	Titles map[string]string
}

// Unavailable answers while a store cannot be asked.
func (a *Answers) Unavailable(w http.ResponseWriter, r *Request, err error) {
	a.Logger.WarnContext(r.Context(), "cannot tell who is signed in", "error", err)
	NoStore(w)
	w.Header().Set("Retry-After", "5")
	switch CallerOf(r.Request) {
	case CallerNavigation:
		a.Pages.Fault(w, r.Request, http.StatusServiceUnavailable, page.Fault{
			Title:      "Just a moment",
			Message:    "Part of this service can't be reached right now. If you were signed in, you still are. Please try again in a few seconds.",
			Detail:     "temporarily_unavailable",
			RetryURL:   r.ReturnTo(),
			RetryLabel: "Try again",
		})
	case CallerGRPC:
		GRPCStatus(w, "14", "temporarily unavailable")
	default:
		Problem(w, http.StatusServiceUnavailable, "Signing in is not possible right now; try again in a few seconds.", nil)
	}
}

// PageQuery is the query of a request to a page of ours. Where it is malformed,
// PageQuery answers, and ok is false.
func (a *Answers) PageQuery(w http.ResponseWriter, r *Request, at Issuer) (query url.Values, ok bool) {
	query, err := r.Query()
	if err != nil {
		a.Malformed(w, r, page.Fault{RetryURL: at.Beginning(), RetryLabel: "Start again"})
		return nil, false
	}
	return query, true
}

// Malformed answers a link or a form of which not every parameter can be read.
func (a *Answers) Malformed(w http.ResponseWriter, r *Request, f page.Fault) {
	a.Logger.InfoContext(r.Context(), "a link or a form of which part cannot be read was refused", "host", r.Host, "path", r.Path(), "client_ip", r.ClientIP)
	f.Title, f.Message, f.Detail = "This link cannot be used", "Part of the request cannot be read.", "invalid_request"
	a.Pages.Fault(w, r.Request, http.StatusBadRequest, f)
}

// AllowedForm is [Allowed] for what only a form of ours is sent to. A person who
// presses Enter in the address bar after it asks for the page that it was on, and
// is led to where that begins.
func (a *Answers) AllowedForm(w http.ResponseWriter, r *Request, beginning string) bool {
	if r.Method == http.MethodPost || CallerOf(r.Request) != CallerNavigation {
		return Allowed(w, r, http.MethodPost)
	}
	w.Header().Set("Allow", http.MethodPost)
	a.Pages.Fault(w, r.Request, http.StatusMethodNotAllowed, page.Fault{
		Title: "Please start again", Message: "This page can't be opened directly. Start signing in again.",
		Detail: "invalid_request", RetryURL: beginning, RetryLabel: "Start again",
	})
	return false
}

// NotFound answers for an address that is not ours.
func (a *Answers) NotFound(w http.ResponseWriter, r *Request, at Issuer) {
	if CallerOf(r.Request) != CallerNavigation {
		Problem(w, http.StatusNotFound, "There is nothing at this address.", nil)
		return
	}
	a.Pages.Fault(w, r.Request, http.StatusNotFound, page.Fault{
		Title: "Page not found", Message: "The link may be incomplete.",
		Detail: "not_found", RetryURL: at.Beginning(), RetryLabel: "Go to the start page",
	})
}

// Unfinished answers a sign-in that a store which is down keeps from its end.
// Nothing of it is lost: again is where it goes on, and the browser keeps what
// it needs for that.
func (a *Answers) Unfinished(w http.ResponseWriter, r *Request, err error, again string) {
	a.Logger.WarnContext(r.Context(), "a sign-in cannot be finished now", "error", err)
	NoStore(w)
	w.Header().Set("Retry-After", "5")
	if CallerOf(r.Request) != CallerNavigation {
		Problem(w, http.StatusServiceUnavailable, "The sign-in cannot be finished right now; try again in a few seconds.", nil)
		return
	}
	a.Pages.Fault(w, r.Request, http.StatusServiceUnavailable, page.Fault{
		Title:      "Temporarily unavailable",
		Message:    "We can't reach our database, so your sign-in isn't finished yet. Nothing is lost. Try again in a few seconds.",
		Detail:     "temporarily_unavailable",
		RetryURL:   again,
		RetryLabel: "Try again",
	})
}

package caddymodule

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
)

// fitting is what the guards of a request add to the headers of the answer that
// the application gives.
type fitting struct {
	// shielded: the answer depends on who asks, though anybody may.
	shielded bool
	// by are further headers that it depends on.
	by []string
	// asked: it was looked whether a page of another origin calls.
	asked bool
	// cors: the guards say which pages may read the answer, and origin is the one of
	// this request, if they may.
	cors   bool
	origin string
	// agents: pages of any origin may read the answer, unless the application says which.
	agents bool
}

// credentialsVary are the headers by which answers to nobody and to somebody differ.
var credentialsVary = []string{"Cookie", "Authorization", accesstoken.OwnHeader}

// shield keeps an answer from caches that would give it to somebody else.
func (f *fitting) shield(is bool, by ...string) {
	if is {
		f.shielded, f.by = true, append(f.by, by...)
	}
}

// isNothing reports whether there is nothing to add.
func (f *fitting) isNothing() bool { return !f.shielded && !f.cors && !f.agents }

// apply adds to the headers of an answer that is about to be sent. An app that says
// "public" means it: it is told by Vary which caches take it for whom.
func (f *fitting) apply(h http.Header) {
	if f.shielded {
		if _, told := h["Cache-Control"]; !told {
			h["Cache-Control"] = []string{"private"}
		}
		addVary(h, credentialsVary...)
		addVary(h, f.by...)
	}
	if f.cors {
		f.applyCORS(h)
	}
	if said := h["Access-Control-Allow-Origin"]; f.agents && len(said) > 1 {
		h["Access-Control-Allow-Origin"] = said[1:] // ours was first; browsers take only one
	}
}

// applyCORS replaces what the application says of who may read the answer: one that
// allows any origin would undo what the guard says.
func (f *fitting) applyCORS(h http.Header) {
	addVary(h, "Origin")
	delete(h, "Access-Control-Allow-Origin")
	delete(h, "Access-Control-Allow-Credentials")
	if f.origin != "" {
		h["Access-Control-Allow-Origin"] = []string{f.origin}
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	}
}

// addVary adds the names that Vary lacks.
func addVary(h http.Header, names ...string) {
	for _, name := range names {
		if !slices.ContainsFunc(h["Vary"], func(line string) bool { return listsToken(line, name) }) {
			h["Vary"] = append(h["Vary"], name)
		}
	}
}

// listsToken reports whether a list of header names has one, or all of them.
func listsToken(line, name string) bool {
	for token := range strings.SplitSeq(line, ",") {
		if token = strings.TrimSpace(token); token == "*" || strings.EqualFold(token, name) {
			return true
		}
	}
	return false
}

// fitted is the writer for the handlers behind a guard that lets nobody's request pass.
func (v *verdict) fitted(w http.ResponseWriter) http.ResponseWriter {
	if v.fitting.isNothing() || v.answer.app != nil { // which applies it
		return w
	}
	return &fittedAnswer{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, fitting: &v.fitting}
}

// fittedAnswer is an answer to nobody.
type fittedAnswer struct {
	*caddyhttp.ResponseWriterWrapper
	fitting *fitting
	begun   bool
}

func (f *fittedAnswer) begin() {
	if !f.begun {
		f.begun = true
		f.fitting.apply(f.Header())
	}
}

// WriteHeader implements [http.ResponseWriter].
func (f *fittedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		f.begin()
	}
	f.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (f *fittedAnswer) Write(p []byte) (int, error) {
	f.begin()
	return f.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (f *fittedAnswer) ReadFrom(r io.Reader) (int64, error) {
	f.begin()
	return f.ResponseWriterWrapper.ReadFrom(r)
}

// Flush implements [http.Flusher], for handlers that ask for it without a
// [http.ResponseController].
func (f *fittedAnswer) Flush() { _ = f.FlushError() }

// FlushError is what [http.ResponseController] prefers.
func (f *fittedAnswer) FlushError() error {
	f.begin()
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// Interface guards
var (
	_ http.ResponseWriter = (*fittedAnswer)(nil)
	_ io.ReaderFrom       = (*fittedAnswer)(nil)
	_ http.Flusher        = (*fittedAnswer)(nil)
)

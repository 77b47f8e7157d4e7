package caddymodule

import (
	"io"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// doubtedAnswer is the answer to a request with a provider's token that neither
// expires nor can be refreshed. An upstream's 401 is a reason to ask the provider
// whether it still takes the token, since nothing else tells; the upstream's answer
// is replaced by ours only if the provider says that it does not.
type doubtedAnswer struct {
	*caddyhttp.ResponseWriterWrapper
	before http.Header // what was set before the upstream answered
	// challenge asks, and returns what answers in the upstream's place, or nil.
	challenge func() func(http.ResponseWriter)

	begun    bool
	replaced bool
}

// WriteHeader implements [http.ResponseWriter].
func (d *doubtedAnswer) WriteHeader(status int) {
	if d.replaced {
		return
	}
	if status >= http.StatusOK && !d.begun {
		d.begun = true
		if status == http.StatusUnauthorized && d.replace() {
			return
		}
	}
	d.ResponseWriter.WriteHeader(status)
}

// replace answers in the upstream's place, if the provider refuses the token.
func (d *doubtedAnswer) replace() bool {
	answer := d.challenge()
	if answer == nil {
		return false
	}
	d.replaced = true
	h := d.Header()
	clear(h)
	maps.Copy(h, d.before)
	answer(d.ResponseWriter)
	return true
}

// Write implements [http.ResponseWriter].
func (d *doubtedAnswer) Write(p []byte) (int, error) {
	d.begun = true
	if d.replaced {
		return len(p), nil // of an answer that nobody sees
	}
	return d.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (d *doubtedAnswer) ReadFrom(r io.Reader) (int64, error) {
	d.begun = true
	if d.replaced {
		return io.Copy(io.Discard, r)
	}
	return d.ResponseWriterWrapper.ReadFrom(r)
}

// Flush implements [http.Flusher], for handlers that ask for it without a
// [http.ResponseController].
func (d *doubtedAnswer) Flush() { _ = d.FlushError() }

// FlushError is what [http.ResponseController] prefers.
func (d *doubtedAnswer) FlushError() error {
	d.begun = true
	return http.NewResponseController(d.ResponseWriter).Flush()
}

// Interface guards
var (
	_ http.ResponseWriter = (*doubtedAnswer)(nil)
	_ io.ReaderFrom       = (*doubtedAnswer)(nil)
	_ http.Flusher        = (*doubtedAnswer)(nil)
)

package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/dialect"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// What a proxy is complained of. One does not silence another.
const (
	aboutPeer = iota
	aboutRequest
	aboutOwn
	aboutHost
	complaints // how many there are
)

// complain logs, at most once a minute for each kind, what keeps a proxy from being
// answered.
func (f *ForwardAuth) complain(r *http.Request, about int, message string, more ...any) {
	now := time.Now().Unix()
	if last := f.complained[about].Load(); now-last < 60 || !f.complained[about].CompareAndSwap(last, now) {
		return
	}
	f.app.logger.WarnContext(r.Context(), message, append([]any{"proxy", f.Proxy, "address", r.RemoteAddr, "hosts", f.Hosts}, more...)...)
}

// maxRepeated bounds the credentials of a request, in bytes, which the answer repeats:
// it must fit the proxy's buffers, and leave room there for who it is.
const maxRepeated = 16 << 10

var (
	errTooLarge      = errors.New("the request's cookies and credentials are too large")
	errTokenForProxy = errors.New("the client sends a token of Gatehouse's in Proxy-Authorization or Gatehouse-Authorization, which the proxy would pass on to the application; expected in Authorization")
)

// read is the request that the proxy asks about. It fails where the
// application could see another request than the guard.
func (f *ForwardAuth) read(r *http.Request) (dialect.Asked, error) {
	asked, err := f.dialect.Read(r)
	if err != nil {
		return asked, err
	}
	for _, protocol := range r.Header["Upgrade"] {
		if !reading.IsWebSocket(protocol) {
			return asked, fmt.Errorf("the client asks for an upgrade to %q, after which the proxy would not ask about requests; expected websocket", shortened(protocol))
		}
	}
	if len(r.Header["Http2-Settings"]) > 0 {
		return asked, errors.New("the client asks for an upgrade to h2c (HTTP2-Settings), after which the proxy would not ask about requests; expected websocket")
	}
	repeated := 0
	for _, name := range [...]string{"Cookie", "Authorization"} {
		for _, line := range r.Header[name] {
			repeated += len(line)
		}
	}
	if repeated > maxRepeated {
		return asked, fmt.Errorf("%w: %d bytes, expected %d at most", errTooLarge, repeated, maxRepeated)
	}
	return asked, f.checkSpelling(r.Header)
}

// checkSpelling refuses names that some applications cannot tell from those that are
// ours to set (Remote~User). The proxy replaces those in one spelling only. Names with
// underscores and dots do not come this far: Caddy drops them.
func (f *ForwardAuth) checkSpelling(h http.Header) error {
	for name := range h {
		if isPlainName(name) || !f.headers.matches(name) && !credentialTrailers.matches(name) {
			continue
		}
		return fmt.Errorf("the client sends the header %q, which applications may take for one that Gatehouse sets; expected letters, digits and dashes only", shortened(name))
	}
	return nil
}

// isPlainName reports whether the name of a header is read alike by everybody.
func isPlainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; normalByte(c) == '-' && c != '-' {
			return false
		}
	}
	return true
}

// refuseUnread answers a request that [ForwardAuth.read] refused.
func (f *ForwardAuth) refuseUnread(w http.ResponseWriter, r *http.Request, err error) error {
	f.complain(r, aboutRequest, err.Error()+"; the configuration for each proxy is in docs/forward-auth.md")
	if errors.Is(err, errTooLarge) {
		return refuseProxy(w, http.StatusRequestHeaderFieldsTooLarge, "The cookies of this site are too large.")
	}
	return refuseProxy(w, http.StatusBadRequest,
		"The request cannot pass: what describes it is missing or contradicts itself, or it asks for an upgrade or has headers that are reserved.")
}

func refuseProxy(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
	return nil
}

// bringsOwnHeader reports whether a request has our own header, in any spelling: a proxy
// removes only what the answer names.
func bringsOwnHeader(h http.Header) bool {
	for name := range h {
		if len(name) == len(accesstoken.OwnHeader) && strings.EqualFold(normalForm(name), accesstoken.OwnHeader) {
			return true
		}
	}
	return false
}

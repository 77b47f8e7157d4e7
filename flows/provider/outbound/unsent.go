package outbound

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// unsentError is why a request never left. It is [provider.ErrNotSpent].
type unsentError struct{ error }

func (e unsentError) Unwrap() []error { return []error{e.error, provider.ErrNotSpent} }

// attempt tells how far a request came. One that has a connection (which was
// dialled, and through the TLS handshake) may have been sent.
type attempt struct {
	began, connected atomic.Bool
	conn             atomic.Pointer[net.Conn] // the latest
}

func (a *attempt) watch(r *http.Request) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { a.began.Store(true) },
		GotConn: func(got httptrace.GotConnInfo) {
			a.connected.Store(true)
			a.conn.Store(&got.Conn)
		},
	}))
}

// failed marks the error of a request that was certainly not sent.
func (a *attempt) failed(err error) error {
	if a.began.Load() && !a.connected.Load() {
		return unsentError{err}
	}
	return err
}

// IsUnspent reports whether a token endpoint that answered this status, which is
// no success or comes with an error code, has left the grant alone. What the
// answers of a server that fails, or of a gateway before it, mean for the grant
// cannot be known (RFC 9110, section 15.6). 503 is no exception, with Retry-After
// or without, whatever its body: a proxy says it when the connection breaks after
// the request was sent, and a provider when its store has rotated the token and did
// not get to say so.
func IsUnspent(status int) bool { return status < http.StatusInternalServerError }

// IsRefusal reports whether a token endpoint that answered this status and error code
// is up, and only will not do what was asked. A status of 2xx is one that came with
// an error code.
func IsRefusal(status int, code string) bool {
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return false
	}
	return code != "temporarily_unavailable" && code != "server_error" && code != "slow_down"
}

var _ error = unsentError{}

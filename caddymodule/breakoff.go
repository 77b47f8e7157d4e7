package caddymodule

import (
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// statusGrace is how long a gRPC answer that was ended has for its status if its
// client does not read; statusTime is how long it has on a busy machine.
const (
	statusGrace = 500 * time.Millisecond
	statusTime  = 10 * time.Second
)

// past is a deadline that is over.
var past = time.Unix(1, 0)

// breakOff ends the answer from outside its handler. answer.mu is held, and the
// handler has not returned: afterwards the connection may serve another request.
func (a *answer) breakOff() {
	a.over.Store(true)
	if a.cancel != nil {
		a.cancel()
	}
	switch {
	case a.hijacked != nil:
		reset(a.hijacked)
	case a.grpc:
		// A client that has more to say keeps HTTP/2's transport from noticing.
		_ = http.NewResponseController(a.ResponseWriter).SetReadDeadline(past)
		a.cutLater(statusTime)
	default:
		a.cut()
	}
}

// cutLater cuts an answer that does not end though it was told to: soon if its
// client does not read, else when its time is over.
func (a *answer) cutLater(left time.Duration) {
	time.AfterFunc(statusGrace, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		switch {
		case a.finished:
		case a.sending.Load() || left <= 0:
			a.cut()
		default:
			a.cutLater(left - statusGrace)
		}
	})
}

// cut ends what the handler sends and receives, which cancels the request: a
// deadline that has passed ends the connection of HTTP/1, resets the stream of
// HTTP/2, and has writing fail in HTTP/3. What the system has taken already is
// still delivered to an HTTP/1 client that reads slowly: Caddy gives handlers no
// way to reset such a connection. answer.mu is held, and the handler has not
// returned.
func (a *answer) cut() {
	// Caddy's own writer on the way (its idle timeout) is for the handler's
	// goroutine alone.
	_ = http.NewResponseController(innermost(a.ResponseWriter)).SetWriteDeadline(past)
	_ = http.NewResponseController(a.ResponseWriter).SetReadDeadline(past)
	if a.request.ProtoMajor == 1 {
		a.cutAgain(cutFirst)
	}
}

// cutFirst and cutLast are the first and the longest pause of cutAgain.
const (
	cutFirst = 10 * time.Millisecond
	cutLast  = 100 * time.Millisecond
)

// cutAgain repeats the write deadline until the handler has returned: Caddy's idle
// timeout sets one of its own before each part of a file that it sends.
func (a *answer) cutAgain(pause time.Duration) {
	time.AfterFunc(pause, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.finished {
			return
		}
		_ = http.NewResponseController(innermost(a.ResponseWriter)).SetWriteDeadline(past)
		a.cutAgain(min(2*pause, cutLast))
	})
}

// innermost returns the server's own writer, without those that wrap it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// reset closes a connection at once. The system holds megabytes for a client that
// reads slowly, and would go on to deliver them for minutes; TLS's own Close can wait
// for such a client.
func reset(conn net.Conn) {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// lookAfter ends what may not go on though what vouched for it goes on: an upload
// whose time is over, and an answer to somebody whom the policies refuse by now.
func (a *answer) lookAfter() {
	refused := a.refusedByNow() || a.isStale()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finished || a.over.Load() {
		return
	}
	if refused && !a.upload.mayFinish(time.Now()) || a.upload.tooLate(time.Now()) {
		a.breakOff()
	}
}

// current is who the answer is for by now, or nil if that is not known.
func (a *answer) current() *identity.Identity {
	if a.id.Accepted != nil {
		return a.id.Accepted.Current()
	}
	return a.app.shared.sessions.Known(a.id.SessionID)
}

// refusedByNow reports whether a policy refuses who the session is of now: what
// the provider says of people may change while they are here. It costs nothing
// while that stays the same.
func (a *answer) refusedByNow() bool {
	now := a.current()
	if now == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now == a.judged {
		return false
	}
	a.judged = now
	who := *now
	if a.id.Accepted == nil {
		who.Scope, who.TokenID, who.TokenExpires = a.id.Scope, a.id.TokenID, a.id.TokenExpires
	}
	for _, d := range a.deciders {
		if !d.Allows(&who) {
			a.judged = nil // an upload may go on for now, and is asked about again
			return true
		}
	}
	return false
}

// judgedBy notes the policies that let the answer begin.
func (a *answer) judgedBy(deciders []policy.Decider) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deciders == nil {
		a.deciders = deciders
		return
	}
	a.deciders = append(slices.Clip(a.deciders), deciders...)
}

package flows

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Bodies of requests to our own URLs. A client that sends one slowly holds a
// connection, and behind it a place at the server, for as long as it may last.
const (
	// maxForm is the most that a body may hold, in bytes.
	maxForm = 64 << 10
	// defaultBodyTimeout is how long a body may take.
	defaultBodyTimeout = 10 * time.Second
)

var (
	errSlowBody  = errors.New("the body did not arrive in time")
	errLargeBody = errors.New("the body is too large")
)

// LimitBody holds the body of a request that is answered here, and not by an
// upstream, to [Config.BodyTimeout] in all and to 64 KiB, the chunks' own headers
// and trailers included. That goes for a body that nobody reads, too: the server reads
// what is left of it before it goes on with the connection.
//
// The deadline ends when the body has: a request may take longer than its body, and
// a deadline that passes meanwhile would end it. The server sets its own for the
// next request.
func (g *Gateway) LimitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return
	}
	if _, limited := r.Body.(*ownBody); limited {
		return
	}
	controller := http.NewResponseController(w)
	// The deadline is the connection's, which goes by the machine's own clock.
	_ = controller.SetReadDeadline(time.Now().Add(g.BodyTimeout)) //nolint:forbidigo // see above
	r.Body = &ownBody{ReadCloser: r.Body, controller: controller, header: w.Header(), http1: r.ProtoMajor == 1, left: maxForm}
}

// ownBody is a body under LimitBody.
type ownBody struct {
	io.ReadCloser
	controller *http.ResponseController
	header     http.Header // of the answer
	http1      bool
	left       int
	err        error
}

// Read implements [io.Reader].
func (b *ownBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1] // one more shows that there is more
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case n > b.left:
		n, b.err = b.left, errLargeBody
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = errSlowBody
	case err != nil:
		b.err = err
	}
	b.left -= n
	switch {
	case b.err == nil:
	case errors.Is(b.err, io.EOF):
		_ = b.controller.SetReadDeadline(time.Time{})
	case b.http1:
		b.header.Set("Connection", "close") // what is left of it is not waited for
	}
	return n, b.err
}

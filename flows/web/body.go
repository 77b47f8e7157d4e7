package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// maxForm is the most that a body may hold, in bytes.
const maxForm = 64 << 10

// Errors of a body under LimitBody.
var (
	ErrSlowBody  = errors.New("the body did not arrive in time")
	ErrLargeBody = errors.New("the body is too large")
)

// LimitBody holds the body of a request that is answered here, and not by an
// upstream, to a timeout in all and to 64 KiB, the chunks' own headers
// and trailers included. That goes for a body that nobody reads, too: the server reads
// what is left of it before it goes on with the connection.
//
// The deadline ends when the body has: a request may take longer than its body, and
// a deadline that passes meanwhile would end it. The server sets its own for the
// next request.
func LimitBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return
	}
	if _, limited := r.Body.(*ownBody); limited {
		return
	}
	controller := http.NewResponseController(w)
	// The deadline is the connection's, which goes by the machine's own clock.
	_ = controller.SetReadDeadline(time.Now().Add(timeout)) //nolint:forbidigo // see above
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
		n, b.err = b.left, ErrLargeBody
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = ErrSlowBody
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

package caddymodule

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// defaultUploadTime is how long an upload goes on at most after its session has
// ended, where finish_uploads does not say. replyTime is how long the app then has
// to answer it.
const (
	defaultUploadTime = caddy.Duration(10 * time.Minute)
	replyTime         = 5 * time.Second
)

// upload is the body of a request that may be sent to its end though the session
// ends meanwhile: half a file may be worse than none. The answer must not have
// begun, or it would be a conversation. A nil upload never may.
type upload struct {
	io.ReadCloser
	limit time.Duration

	over    atomic.Int64 // when the body was read, or the answer began; 0: not yet
	revoked atomic.Int64 // when the session ended; 0: it goes on
}

func (g *Guard) uploadTime() time.Duration { return time.Duration(g.FinishUploads) }

// newUpload watches a request's body, where there is one.
func newUpload(r *http.Request, limit time.Duration) *upload {
	if limit <= 0 || r.Body == nil || r.ContentLength == 0 {
		return nil
	}
	u := &upload{ReadCloser: r.Body, limit: limit}
	r.Body = u
	return u
}

// Read implements [io.Reader].
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil {
		u.over.CompareAndSwap(0, time.Now().UnixNano())
	}
	return n, err
}

// answered is called when the answer begins.
func (u *upload) answered() {
	if u != nil {
		u.over.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// mayFinish reports whether the upload was still under way when the session ended.
func (u *upload) mayFinish(now time.Time) bool {
	if u == nil {
		return false
	}
	if u.revoked.Load() != 0 {
		return true // tooLate says when it must end
	}
	if u.over.Load() != 0 {
		return false
	}
	u.revoked.Store(now.UnixNano())
	return true
}

// tooLate reports whether an upload that was given time has used it up.
func (u *upload) tooLate(now time.Time) bool {
	if u == nil {
		return false
	}
	revoked, over := u.revoked.Load(), u.over.Load()
	if revoked == 0 {
		return false
	}
	return now.Sub(time.Unix(0, revoked)) > u.limit || over != 0 && now.Sub(time.Unix(0, over)) > replyTime
}

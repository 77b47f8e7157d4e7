package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// uploads is an app that takes whatever is sent, then says how much it was. Of
// /talk it answers before everything has come.
func uploads(t *testing.T) (address string, taken <-chan int64) {
	t.Helper()
	sizes := make(chan int64, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/talk" {
			_ = http.NewResponseController(w).EnableFullDuplex()
			fmt.Fprint(w, "hello\n")
			_ = http.NewResponseController(w).Flush()
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			n = -1
		}
		sizes <- n
		fmt.Fprintf(w, "%d bytes", n)
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://"), sizes
}

// send begins an upload in chunks. Go's own client hears of no broken connection as
// long as its body has nothing to say.
func (r *running) send(t *testing.T, front *httptest.Server, path, cookie string) (client net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(client, "PUT %s HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\nCookie: %s\r\nTransfer-Encoding: chunked\r\n\r\n%s", path, cookie, chunk)
	for deadline := time.Now().Add(time.Minute); r.app.shared.flights.number() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the guard has not let the upload begin")
		}
	}
	return client
}

// chunk is a hundred thousand bytes.
var chunk = fmt.Sprintf("%x\r\n%s\r\n", 100_000, strings.Repeat("x", 100_000))

func TestUpload_MayBeFinishedWhereTheGuardSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		option, path string
		want         string
	}{
		"not by default":       {"", "/", ""},
		"by option":            {" {\n\t\tfinish_uploads\n\t}", "/", "200000 bytes"},
		"no conversation":      {" {\n\t\tfinish_uploads\n\t}", "/talk", ""},
		"not when it is later": {" {\n\t\tfinish_uploads 1ms\n\t}", "/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			app, _ := uploads(t)
			r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse"+tt.option+"\n\treverse_proxy "+app+"\n}")
			front := httptest.NewServer(r.srv[":80"])
			t.Cleanup(front.Close)
			client := r.send(t, front, tt.path, r.signIn("app.example.com", nil).String())
			r.app.shared.flights.watchAll()
			if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
				t.Fatal(err)
			}
			if tt.want != "" {
				fmt.Fprintf(client, "%s0\r\n\r\n", chunk)
			}
			got, err := io.ReadAll(client) // without another word of a client that is to be broken off
			if err != nil && os.IsTimeout(err) {
				t.Error("the upload goes on although nothing vouches for it")
			}
			if answer := string(got); strings.Contains(answer, "200000 bytes") != (tt.want != "") {
				t.Errorf("answered %q, want %q", answer, tt.want)
			}
			r.wantNothingHeld(t)
		})
	}
}

// An upload that was given time ends with it, and its answer soon after the body.
func TestUpload_IsGivenSoMuchTime(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	body := func() *upload {
		req := httptest.NewRequest(http.MethodPut, "/", strings.NewReader("body"))
		return newUpload(req, time.Minute)
	}
	u := body()
	if u.tooLate(at.Add(time.Hour)) {
		t.Error("too late though its session goes on")
	}
	if !u.mayFinish(at) || !u.mayFinish(at.Add(time.Second)) {
		t.Error("an upload under way may not be finished")
	}
	if u.tooLate(at.Add(59*time.Second)) || !u.tooLate(at.Add(61*time.Second)) {
		t.Error("not as long as the guard says")
	}
	u = body()
	if _, err := io.Copy(io.Discard, u); err != nil {
		t.Fatal(err)
	}
	if u.mayFinish(time.Now()) {
		t.Error("a body that has been read is no upload under way")
	}
	u = body()
	u.answered()
	if u.mayFinish(time.Now()) {
		t.Error("the answer has begun")
	}
	u = body()
	u.mayFinish(time.Now())
	u.answered()
	if u.tooLate(time.Now()) || !u.tooLate(time.Now().Add(2*replyTime)) {
		t.Error("the answer of a finished upload has another time")
	}
	empty := httptest.NewRequest(http.MethodGet, "/", nil)
	if newUpload(empty, time.Minute) != nil || newUpload(httptest.NewRequest(http.MethodPut, "/", strings.NewReader("x")), 0) != nil {
		t.Error("what is none is taken for an upload")
	}
}

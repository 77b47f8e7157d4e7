package caddymodule

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// endless is an app whose answers end only when their client does. It says on
// seen when it has a request.
func endless(t *testing.T) (address string, seen <-chan struct{}) {
	t.Helper()
	requests := make(chan struct{}, 100)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
		kinds := map[string]string{
			"/events": "text/event-stream", "/ndjson": "application/x-ndjson", "/text": "text/plain", "/untold": "", "/big": "application/octet-stream",
			"/quiet": "text/plain", "/ticks": "application/json",
		}
		kind, known := kinds[r.URL.Path]
		if !known { // a long poll, of which not even the type is known
			<-r.Context().Done()
			return
		}
		w.Header()["Content-Type"] = nil
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if r.URL.Path == "/big" {
			w.Header().Set("Content-Length", "10000000000")
		}
		fmt.Fprint(w, "hello\n")
		_ = http.NewResponseController(w).Flush()
		for r.URL.Path != "/quiet" && r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			if r.URL.Path != "/big" {
				select {
				case <-r.Context().Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
		<-r.Context().Done()
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://"), requests
}

// endlessSites are guarded sites with what can go on for long.
func endlessSites(t *testing.T) (sites string, seen <-chan struct{}) {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(20<<30), file.Close()); err != nil {
		t.Fatal(err)
	}
	app, seen := endless(t)
	return fmt.Sprintf("http://app.example.com, http://api.example.com {\n\tgatehouse\n\thandle /disk.img {\n\t\troot %q\n\t\tfile_server\n\t}\n"+
		"\thandle_path /zipped/* {\n\t\tencode gzip\n\t\treverse_proxy %s\n\t}\n\thandle {\n\t\treverse_proxy %s\n\t}\n}\n", dir, app, app), seen
}

// endlessPaths are the answers of endlessSites.
var endlessPaths = []string{"/events", "/ndjson", "/text", "/untold", "/big", "/quiet", "/ticks", "/poll", "/disk.img", "/zipped/text"}

// fronts are servers for what Caddy would listen for.
func (r *running) fronts(t *testing.T) map[string]*httptest.Server {
	t.Helper()
	one, two := httptest.NewServer(r.srv[":80"]), httptest.NewUnstartedServer(r.srv[":80"])
	two.EnableHTTP2 = true
	two.StartTLS()
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	return map[string]*httptest.Server{"HTTP/1.1": one, "HTTP/2": two}
}

// clientOf is a client to whom every name is a front.
func clientOf(front *httptest.Server) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, front.Listener.Addr().String())
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // httptest's certificate
		ForceAttemptHTTP2: front.EnableHTTP2,
	}}
}

// answerOf asks a front for a path, and returns when the answer has begun, or the
// app has the request.
func answerOf(t *testing.T, front *httptest.Server, host, path string, header http.Header, seen <-chan struct{}) (ended <-chan error) {
	t.Helper()
	client := clientOf(front)
	scheme := "http"
	if front.EnableHTTP2 {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	begun, done := make(chan error, 1), make(chan error, 1)
	go func() {
		res, err := client.Do(req)
		if err != nil {
			begun <- err
			done <- err
			return
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		if (res.ProtoMajor == 2) != front.EnableHTTP2 {
			err = fmt.Errorf("protocol %s", res.Proto)
		}
		if err == nil {
			_, err = io.ReadFull(res.Body, make([]byte, 6))
		}
		begun <- err
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		done <- err
	}()
	if path == "/poll" {
		select {
		case <-seen:
		case err := <-begun:
			t.Fatalf("%s: %v", path, err)
		}
		return done
	}
	if err := <-begun; err != nil {
		t.Fatalf("%s did not begin: %v", path, err)
	}
	return done
}

// wantEnded waits for the end of an answer, which its client's patience isn't.
func wantEnded(t *testing.T, ended <-chan error) {
	t.Helper()
	if err := <-ended; errors.Is(err, context.DeadlineExceeded) {
		t.Error("the answer goes on although nothing vouches for it")
	}
}

// drain empties a channel.
func drain(c <-chan struct{}) {
	for len(c) > 0 {
		<-c
	}
}

// sessionCookie is alice's cookie at a site, by scheme.
func (r *running) sessionCookie(host string, secure bool) http.Header {
	r.t.Helper()
	cookie := r.signIn(host, nil)
	if secure {
		cookie.Name = "__Host-gatehouse"
	}
	return http.Header{"Cookie": {cookie.String()}}
}

// oauth2-proxy and its peers look at a session when a request begins, so that a
// log tail or a model's answer goes on for somebody who was shut out. Event streams
// and WebSockets are no other case than lines of JSON.
func TestAnswer_OfAnyKindEndsWithItsSession(t *testing.T) {
	sites, seen := endlessSites(t)
	r := serve(t, aliceLocal, sites)
	for proto, front := range r.fronts(t) {
		for _, path := range endlessPaths {
			t.Run(proto+path, func(t *testing.T) {
				drain(seen)
				ended := answerOf(t, front, "app.example.com", path, r.sessionCookie("app.example.com", front.EnableHTTP2), seen)
				if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
					t.Fatal(err)
				}
				wantEnded(t, ended)
				r.wantNothingHeld(t)
			})
		}
	}
}

// What is watched already ends like what is too young to be watched.
func TestAnswer_EndsWhenItHasRunForLong(t *testing.T) {
	sites, seen := endlessSites(t)
	r := serve(t, aliceLocal, sites)
	for proto, front := range r.fronts(t) {
		t.Run(proto, func(t *testing.T) {
			header := r.sessionCookie("app.example.com", front.EnableHTTP2)
			var all []<-chan error
			for _, path := range endlessPaths {
				drain(seen)
				all = append(all, answerOf(t, front, "app.example.com", path, header.Clone(), seen))
			}
			r.app.shared.flights.watchAll()
			if n := r.app.shared.held(); n != len(all) {
				t.Errorf("%d answers are watched, want %d", n, len(all))
			}
			if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
				t.Fatal(err)
			}
			for _, ended := range all {
				wantEnded(t, ended)
			}
			r.wantNothingHeld(t)
		})
	}
}

// A program's token has no session that could end.
func TestAnswer_OfAnyKindEndsWithATokenThatHasNoSession(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	sites, seen := endlessSites(t)
	r := serve(t, aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+sites)
	front := r.fronts(t)["HTTP/1.1"]
	for _, path := range endlessPaths {
		t.Run(path, func(t *testing.T) {
			drain(seen)
			token := r.token("http://api.example.com")
			ended := answerOf(t, front, "api.example.com", path, http.Header{"Authorization": {"Bearer " + token}}, seen)
			wantStatus(t, r.post("/revoke", url.Values{"token": {token}}), http.StatusOK)
			wantEnded(t, ended)
			r.wantNothingHeld(t)
		})
	}
}

// An answer that ends by itself, however late, costs nobody anything.
func TestAnswer_ThatEndsByItselfIsWhole(t *testing.T) {
	const size = 3 << 20
	slow := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size/2))
		_ = http.NewResponseController(w).Flush()
		<-slow
		_, _ = w.Write(make([]byte, size/2))
	}))
	t.Cleanup(app.Close)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n\treverse_proxy "+strings.TrimPrefix(app.URL, "http://")+"\n}")
	go func() {
		for n := r.app.shared.held(); n == 0; n = r.app.shared.held() { // until it is watched
			time.Sleep(time.Millisecond)
		}
		close(slow)
	}()
	rec := r.do(get("http://app.example.com/", r.signIn("app.example.com", nil)))
	if wantStatus(t, rec, http.StatusOK); rec.Body.Len() != size {
		t.Errorf("%d bytes, want %d", rec.Body.Len(), size)
	}
	r.wantNothingHeld(t)
}

// wantNothingHeld waits until no answer is known of any more.
func (r *running) wantNothingHeld(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		under := r.app.shared.flights.number()
		if held := r.app.shared.held(); held == 0 && under == 0 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d answers are under way and %d held though all have ended", under, held)
		}
	}
}

// number is how many answers are under way.
func (f *flights) number() (n int) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, l := range []flightList{s.young, s.old} {
			for a := l.first; a != nil; a = a.next {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

// What the provider says of somebody may change while they are here, and so may the
// configuration: whom the guard would refuse by now gets no more of an answer.
func TestAnswer_EndsWhenThePoliciesRefuse(t *testing.T) {
	sites, seen := endlessSites(t)
	dir := t.TempDir()
	rules := "policy staff {\n\tallow group staff\n}\npolicy all {\n\tallow anyone\n}\n"
	for name, guards := range map[string]string{"one guard": "gatehouse staff", "the second of two": "gatehouse all\n\tgatehouse staff"} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(sites, "\tgatehouse\n", "\t"+guards+"\n", 1)
			begun := func(provider string) *running {
				r, err := start(t, config(t, dir, provider+rules, text))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			first := begun(aliceLocal)
			front := httptest.NewServer(first.srv[":80"])
			t.Cleanup(front.Close)
			drain(seen)
			ended := answerOf(t, front, "app.example.com", "/ndjson", first.sessionCookie("app.example.com", false), seen)
			first.app.shared.flights.watchAll()
			first.app.shared.flights.sweep() // which changes nothing
			select {
			case err := <-ended:
				t.Fatalf("the answer ended though nothing has changed: %v", err)
			default:
			}
			second := begun(strings.Replace(aliceLocal, "groups staff", "groups guests", 1))
			t.Cleanup(second.stop)
			first.stop()
			wantEnded(t, ended)
		})
	}
}

// A handler that waits for a client which does not read learns of the end, too.
func TestAnswer_EndsThoughItsClientDoesNotRead(t *testing.T) {
	sites, _ := endlessSites(t)
	r := serve(t, aliceLocal, sites)
	for proto, front := range r.fronts(t) {
		for _, path := range []string{"/big", "/disk.img"} {
			t.Run(proto+path, func(t *testing.T) {
				scheme := "http"
				if front.EnableHTTP2 {
					scheme = "https"
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://app.example.com"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header = r.sessionCookie("app.example.com", front.EnableHTTP2)
				res, err := clientOf(front).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = res.Body.Close() }()
				r.app.shared.flights.watchAll()
				if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
					t.Fatal(err)
				}
				r.wantNothingHeld(t)
			})
		}
	}
}

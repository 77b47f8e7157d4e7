package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// RFC 9110, section 6.5.1: a field that authenticates must not come as a trailer,
// and a server that merges trailers into the headers would take it for ours.
func TestGuard_PassesNoCredentialOnAsATrailer(t *testing.T) {
	trailers := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailers <- r.Trailer
	}))
	t.Cleanup(app.Close)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /private/*\n\treverse_proxy "+strings.TrimPrefix(app.URL, "http://")+"\n}")
	front := r.fronts(t)["HTTP/1.1"]
	cookie := r.signIn("app.example.com", nil)
	for _, path := range []string{"/open", "/private/x"} {
		for name, announced := range map[string]string{
			"announced": "X-Sum, Cookie, authorization, Proxy-Authorization, DPoP, Remote_User", "in part": "X-Sum", "spelt otherwise": "X-Sum, proxy.authorization",
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				conn, err := net.Dial("tcp", front.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: app.example.com\r\nCookie: %s\r\nTrailer: %s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"+
					"X-Sum: 1\r\nCookie: %s\r\nAuthorization: Bearer x\r\nProxy-Authorization: Basic x\r\nDPoP: x\r\nRemote_User: mallory\r\nProxy.Authorization: x\r\n\r\n",
					path, cookie, announced, cookie)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || res.StatusCode != http.StatusOK {
					t.Fatalf("%v: %v", res, err)
				}
				_ = res.Body.Close()
				got := <-trailers
				if got.Get("X-Sum") != "1" {
					t.Error("the app's own trailer is lost")
				}
				if delete(got, "X-Sum"); len(got) > 0 {
					t.Errorf("the upstream sees the trailers %v", got)
				}
			})
		}
	}
}

// A client's malformed Authorization beside a session reached the upstream with our
// token in it.
func TestGuard_PassesNoTokenOfOursOn(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	seen := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	t.Cleanup(app.Close)
	r := serve(t, aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+
		"http://app.example.com, http://api.example.com {\n\tgatehouse /private/*\n\treverse_proxy "+strings.TrimPrefix(app.URL, "http://")+"\n}")
	token := r.token("http://api.example.com")
	cookie := r.signIn("app.example.com", nil)
	for _, path := range []string{"/open", "/private/x"} {
		for _, value := range []string{"Bearer x." + token, "Bearer\t" + token, "Token " + token, "Basic eDp5, Bearer " + token, "x" + cookie.Value} {
			for _, name := range []string{"Authorization", "Proxy-Authorization"} {
				req := get("http://app.example.com"+path, cookie)
				req.AddCookie(&http.Cookie{Name: "theirs", Value: "x." + token})
				req.Header.Set(name, value)
				rec := r.do(req)
				wantStatus(t, rec, http.StatusOK)
				for header, values := range <-seen {
					if all := strings.Join(values, " "); strings.Contains(all, token) || strings.Contains(all, "gts_") {
						t.Errorf("%s with %s: %q: the upstream sees %s: %s", path, name, value, header, all)
					}
				}
			}
		}
	}
}

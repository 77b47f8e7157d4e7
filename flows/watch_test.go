package flows_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The script is small, the same for everybody, and kept by caches until there is another.
func TestWatch_Script(t *testing.T) {
	for _, portal := range []bool{true, false} {
		w := newWorld(t, worldOptions{portal: portal})
		address := w.siteURL("one") + "/.gatehouse/watch.js"
		got := w.send(http.MethodGet, address, "")
		if got.status != http.StatusOK || len(got.text) == 0 || len(got.text) >= 2<<10 {
			t.Fatalf("%d, %d bytes", got.status, len(got.text))
		}
		for name, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=3600", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Content-Type-Options": "nosniff", "Set-Cookie": "",
		} {
			if got := got.header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		tag := got.header.Get("ETag")
		if again := w.send(http.MethodGet, address, "", "If-None-Match: "+tag); tag == "" || again.status != http.StatusNotModified || again.text != "" {
			t.Errorf("of version %s: %d %s", tag, again.status, again.text)
		}
		// What a Content-Security-Policy without 'unsafe-inline' and 'unsafe-eval' forbids.
		for _, word := range []string{"innerHTML", "eval", "Function", "<style", "cssText", "setAttribute(\"style"} {
			if strings.Contains(got.text, word) {
				t.Errorf("the script has %s", word)
			}
		}
		if post := w.send(http.MethodPost, address, ""); post.status != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", post.status)
		}
	}
}

// The script asks who is signed in without keeping anybody signed in, and no page of
// another site learns it.
func TestWatch_Session(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	w.clock.hold(0)
	site := w.siteURL("one")
	address := site + "/.gatehouse/session"
	if got := w.send(http.MethodGet, address, "", "Referer: "+site+"/x?y"); got.status != http.StatusUnauthorized || got.answer.text("login_url") != site+"/.gatehouse/login?return_to=%2Fx%3Fy" {
		t.Errorf("signed out: %d %s", got.status, got.text)
	}
	b := newBrowser(t)
	b.get(site+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	cookie := "Cookie: gatehouse=" + b.cookieAt(site).Value
	first := w.send(http.MethodGet, address, "", cookie, "Sec-Fetch-Site: same-origin")
	if first.status != http.StatusOK || first.answer.text("sub") == "" || first.header.Get("Cache-Control") != "no-store" || strings.Contains(first.text, "alice") {
		t.Errorf("signed in: %d %s", first.status, first.text)
	}
	for _, from := range []string{"cross-site", "same-site", "near-site"} {
		if got := w.send(http.MethodGet, address, "", cookie, "Sec-Fetch-Site: "+from); got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", from, got.status, got.text)
		}
	}
	// A week without use ends a session, however often the script asks.
	for range 8 {
		w.clock.advance(24 * time.Hour)
		w.send(http.MethodGet, address, "", cookie)
	}
	if got := w.send(http.MethodGet, address, "", cookie); got.status != http.StatusUnauthorized {
		t.Errorf("after eight days of asking: %d", got.status)
	}
}

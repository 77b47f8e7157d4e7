package applications_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// pwa builds the application of js/pwa, and serves it.
func pwa(t *testing.T, env ...string) string {
	t.Helper()
	built := filepath.Join(t.TempDir(), "dist")
	vite := script(t, "vite/bin/vite.js", "build", "pwa", "--outDir", built, "--emptyOutDir")
	vite.Env = append(vite.Environ(), env...)
	if output, err := vite.CombinedOutput(); err != nil {
		t.Fatalf("vite build: %v\n%s", err, output)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(built)))
	mux.HandleFunc("/api/me", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"user": r.Header.Get("Remote-User")})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

const (
	signedIn = `document.querySelector("#me")?.textContent === "alice"`
	// served: the worker is in charge of the page, and has kept the shell.
	served    = `navigator.serviceWorker.controller !== null && caches.keys().then(names => names.length > 0)`
	signInNow = `document.querySelector("input[name=password]") !== null`
	isShell   = `document.title === "Notes"`
)

// TestPWA: the worker of a vite-plugin-pwa build shows its shell to whoever opens the
// application, signed in or not. After the session's end the browser is given a worker
// that removes itself, and shows the sign-in; with the deny list of docs/callers.md the
// worker leaves our own addresses alone, and signing out has the browser forget what the
// application kept.
func TestPWA(t *testing.T) {
	gateway.Soak(t)
	w := start(t, pwa(t), "clear_site_data")
	b := newTab(t)
	b.signIn(w.site + "/")
	b.until("the application", signedIn)
	b.until("the worker", served)

	w.endSessions(t)
	b.do("opening the application again", chromedp.Navigate(w.site+"/"))
	b.until("the sign-in in place of the shell", signInNow)
	b.fillIn()
	b.until("the application, back again", signedIn)
	b.until("the worker, back again", served)

	b.do("signing out", chromedp.Navigate(w.site+"/.gatehouse/logout"))
	if evaluated[bool](b, isShell) {
		t.Fatal("the worker shows its shell at our own address")
	}
	b.do("confirming", chromedp.WaitVisible(chromedp.CSS("form button")), chromedp.Click(chromedp.CSS("form button")))
	b.until("a browser that has kept nothing", `document.title !== "Notes" && caches.keys().then(async names => names.length === 0 && (await navigator.serviceWorker.getRegistrations()).length === 0)`)
	b.do("opening the application again", chromedp.Navigate(w.site+"/"))
	b.until("the sign-in", signInNow)
}

// TestPWA_Plain: without the deny list the worker shows its shell at our own addresses,
// and still people come to the sign-in after their session's end.
func TestPWA_Plain(t *testing.T) {
	gateway.Soak(t)
	w := start(t, pwa(t, "PLAIN=1"))
	b := newTab(t)
	b.signIn(w.site + "/")
	b.until("the application", signedIn)
	b.until("the worker", served)
	b.do("trying to sign out", chromedp.Navigate(w.site+"/.gatehouse/logout"))
	if !evaluated[bool](b, isShell) {
		t.Error("the deny list that docs/callers.md asks for is not needed any longer")
	}
	w.endSessions(t)
	b.do("opening the application again", chromedp.Navigate(w.site+"/"))
	b.until("the sign-in in place of the shell", signInNow)
	b.fillIn()
	b.until("the application, back again", signedIn)
}

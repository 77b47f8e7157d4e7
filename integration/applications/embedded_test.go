package applications_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// TestEmbedded: what an application's own policy and a frame would turn into nothing is
// shown to alice in Chromium. A form whose page says form-action 'self', as Adminer's
// does, is answered by a page that says that nothing was saved and leads on; a frame
// shows a link that opens the sign-in in a tab.
func TestEmbedded(t *testing.T) {
	gateway.Soak(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "form-action 'self'")
		_, _ = io.WriteString(w, `<!doctype html><title>Editor</title><form method="post" action="/save"><button>Save</button></form>`)
	})
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><title>Saved</title>`)
	})
	mux.HandleFunc("GET /around", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><title>Around</title><iframe src="/"></iframe>`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w := startSite(t, server.URL, "@inside not path /around\n\tgatehouse @inside")
	b := newTab(t)
	b.do("opening the page around", chromedp.Navigate(w.site+"/around"))
	b.until("the link in the frame", `document.querySelector("iframe").contentDocument.querySelector("a[target=_blank]") !== null`)

	const editor = `document.title === "Editor"`
	b.signIn(w.site + "/")
	b.until("the form", editor)
	b.do("saving", chromedp.Click(chromedp.CSS("form button")))
	b.until("what was saved", `document.title === "Saved"`)
	b.do("opening the page around", chromedp.Navigate(w.site+"/around"))
	b.until("the application in the frame", `document.querySelector("iframe").contentDocument.title === "Editor"`)

	b.do("opening the form", chromedp.Navigate(w.site+"/"))
	w.endSessions(t)
	b.do("saving after the session's end", chromedp.Click(chromedp.CSS("form button")))
	b.until("the word that it was not saved", `document.body.textContent.includes("was not saved")`)
	b.do("going on", chromedp.Click(chromedp.CSS(`a[href^="/.gatehouse/login"]`)))
	b.fillIn()
	b.until("the form, back again", editor)
}

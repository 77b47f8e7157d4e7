package flows

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// watchScript is what an application's page may load, to say over itself that the session
// has ended, and to go on once somebody has signed in again.
//
//go:embed watch.js
var watchScript string

// watchTag is the version of the script (RFC 9110, section 8.8.3).
var watchTag = func() string {
	sum := sha256.Sum256([]byte(watchScript))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}()

// serveWatch answers with the script. It holds nothing of anybody.
func (g *Gateway) serveWatch(w http.ResponseWriter, r *web.Request) {
	if !web.Allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("ETag", watchTag)
	http.ServeContent(w, r.Request, "watch.js", time.Time{}, strings.NewReader(watchScript))
}

// serveSession tells the script whether somebody is signed in at the site, and who, which
// is no use of the session. Pages of other sites are not told.
func (g *Gateway) serveSession(w http.ResponseWriter, r *web.Request) {
	if !web.Allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if from := r.Header["Sec-Fetch-Site"]; len(from) > 0 && (len(from) > 1 || from[0] != "same-origin" && from[0] != "none") {
		web.Problem(w, http.StatusForbidden, "Only pages of this site may ask who is signed in.", nil)
		return
	}
	id, err := web.FromCookies(r.Context(), session.Uncounted{Manager: g.Sessions}, r.Header, web.SessionCookieName(web.SiteCookie, r.Secure()), web.ClientOf(r.Host))
	switch {
	case errors.Is(err, session.ErrUnavailable):
		g.answers.Unavailable(w, r, err)
		return
	case err != nil:
		web.Unauthorized(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"sub": id.Subject})
}

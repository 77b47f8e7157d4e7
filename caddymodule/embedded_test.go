package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// What an application's own policy, frame or service worker would turn into nothing.
func TestGuard_AnswersWhereARedirectWouldBeLost(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")

	form := navigation("http://app.example.com/save")
	form.Method = http.MethodPost
	form.Header.Set("Referer", "http://app.example.com/edit?id=7")
	rec := r.do(form)
	wantStatus(t, rec, http.StatusUnauthorized)
	const login = "/.gatehouse/login?return_to=%2Fedit%3Fid%3D7"
	if !strings.Contains(rec.Body.String(), "was not saved") || !strings.Contains(rec.Body.String(), `href="`+login+`"`) || rec.Header().Get("Refresh") != "20; url="+login {
		t.Errorf("a form sent too late: %v\n%s", rec.Header(), rec.Body)
	}

	worker := get("http://app.example.com/sw.js")
	worker.Header.Set("Service-Worker", "script")
	rec = r.do(worker)
	wantStatus(t, rec, http.StatusOK)
	if h := rec.Header(); !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") || h.Get("Cache-Control") != "no-store" || !strings.Contains(rec.Body.String(), "registration.unregister()") {
		t.Errorf("a service worker goes on: %v\n%s", h, rec.Body)
	}
	worker.AddCookie(r.signIn("app.example.com", nil))
	if rec = r.do(worker); strings.Contains(rec.Body.String(), "unregister") {
		t.Error("the application's own worker is not served")
	}

	frame := navigation("http://app.example.com/.gatehouse/login?return_to=%2Fboard")
	frame.Header.Set("Sec-Fetch-Dest", "iframe")
	rec = r.do(frame)
	wantStatus(t, rec, http.StatusForbidden)
	if h := rec.Header(); h.Get("X-Frame-Options") != "" || strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors") ||
		!strings.Contains(rec.Body.String(), `href="/.gatehouse/login?return_to=%2Fboard" target="_blank"`) || strings.Contains(rec.Body.String(), "<form") {
		t.Errorf("a frame shows %v\n%s", h, rec.Body)
	}
}

package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// OAuth 2.0 Form Post Response Mode, section 2: the answer is in the body of a form
// that sends itself, and that a person without scripts can send.
func TestFormPost(t *testing.T) {
	r := renderer(t, Options{})
	show := func(p FormPost) (map[string]string, string, string) {
		rec := get(t, func(w http.ResponseWriter, q *http.Request) { r.FormPost(w, q, http.StatusOK, p) })
		fields, action, script := map[string]string{}, "", ""
		for _, n := range elements(t, rec.Body.String()) {
			switch n.Data {
			case "form":
				action, _ = attr(n, "action")
			case "input":
				name, _ := attr(n, "name")
				fields[name], _ = attr(n, "value")
			case "script":
				script = n.FirstChild.Data
			}
		}
		csp := rec.Header().Get("Content-Security-Policy")
		if script != "" && !strings.Contains(csp, "script-src "+hashSource(script)) {
			t.Errorf("the policy %s blocks the script", csp)
		}
		if strings.Contains(csp, "form-action") || strings.Contains(csp, "frame-ancestors") || rec.Header().Get("X-Frame-Options") != "" {
			t.Errorf("the form cannot be sent from a frame, or on to where the client redirects: %s", csp)
		}
		return fields, action, script
	}
	const to, state = "https://app.test/cb?a=1&b=%22", `a"><b>'`
	fields, action, script := show(FormPost{Site: "app", URL: to, Answer: url.Values{"code": {"c"}, "state": {state}}})
	if action != to || fields["code"] != "c" || fields["state"] != state || len(fields) != 2 || script != submitScript {
		t.Errorf("%q gets %v by %q", action, fields, script)
	}
	for _, to := range []string{"javascript:alert(1)", "com.example.app:/cb", "//x", "", "data:text/html,x", "https://a.test/" + strings.Repeat("x", MaxURL)} {
		if fields, action, script := show(FormPost{URL: to, Answer: url.Values{"code": {"c"}}}); action != "" || len(fields) != 0 || script != "" {
			t.Errorf("%q: %q gets %v", to, action, fields)
		}
	}
}

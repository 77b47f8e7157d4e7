package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// every calls visit with each page, all of its texts set by text.
func every(t testing.TB, r *Renderer, method, text string, visit func(page string, rec *httptest.ResponseRecorder)) {
	t.Helper()
	fields := []Field{{text, text}}
	at := time.Date(2026, 11, 22, 1, 8, 0, 0, time.UTC)
	type show = func(http.ResponseWriter, *http.Request)
	for page, f := range map[string]show{
		"signin": func(w http.ResponseWriter, q *http.Request) {
			r.SignIn(w, q, 200, SignIn{
				Site: text, Action: text, AddressAction: text, Fields: fields, Username: text, Message: text,
				Providers: []ProviderLink{{Name: text, Title: text, URL: text, Icon: text, Last: true}, {Name: "google"}, {Name: "github"}},
			})
		},
		"signin empty": func(w http.ResponseWriter, q *http.Request) { r.SignIn(w, q, 200, SignIn{Site: text, Action: "/x"}) },
		"fault": func(w http.ResponseWriter, q *http.Request) {
			r.Fault(w, q, 403, Fault{
				Title: text, Message: text, Detail: text, RetryURL: text, RetryLabel: text,
				User: text, SignOutURL: text, SupportID: text,
			})
		},
		"signout": func(w http.ResponseWriter, q *http.Request) {
			r.SignOut(w, q, 200, SignOut{Site: text, User: text, Action: text, Fields: fields, Everywhere: true})
		},
		"signedout": func(w http.ResponseWriter, q *http.Request) {
			r.SignedOut(w, q, 200, SignedOut{Site: text, SignInURL: text})
		},
		"framed": func(w http.ResponseWriter, q *http.Request) { r.Framed(w, q, 403, Framed{Site: text, URL: text}) },
		"consent": func(w http.ResponseWriter, q *http.Request) {
			r.Consent(w, q, 200, Consent{
				Client: text, ClientHost: text, User: text, Scopes: []string{text, text}, Action: text, Fields: fields,
			})
		},
		"link": func(w http.ResponseWriter, q *http.Request) {
			r.Link(w, q, 200, Link{
				Provider: text, Site: text, User: text, Scopes: []string{text, text}, Action: text, CancelURL: text, Fields: fields,
			})
		},
		"known": func(w http.ResponseWriter, q *http.Request) {
			r.Known(w, q, 200, Known{Provider: text, LinkURL: text, NewURL: text})
		},
		"formpost": func(w http.ResponseWriter, q *http.Request) {
			r.FormPost(w, q, 200, FormPost{Site: text, URL: text, Answer: url.Values{text: {text}}})
		},
		"device-code": func(w http.ResponseWriter, q *http.Request) {
			r.DeviceCode(w, q, 200, DeviceCode{User: text, Action: text, Fields: fields, Code: text, Message: text})
		},
		"device-confirm": func(w http.ResponseWriter, q *http.Request) {
			r.DeviceConfirm(w, q, 200, DeviceConfirm{
				Client: text, User: text, Code: text, Scopes: []string{text}, Address: text, UserAgent: text,
				Started: at, Action: text, Fields: fields,
			})
		},
		"device-done": func(w http.ResponseWriter, q *http.Request) {
			r.DeviceDone(w, q, 200, DeviceDone{Client: text, Approved: true})
		},
		"device-done, barred": func(w http.ResponseWriter, q *http.Request) {
			r.DeviceDone(w, q, 403, DeviceDone{Client: text, Barred: true})
		},
		"home": func(w http.ResponseWriter, q *http.Request) {
			r.Home(w, q, 200, Home{
				User: text, Action: text, Fields: fields, SignOutURL: text, MoreURL: text, Message: text,
				Identities: []Identity{{ID: text, Provider: text, Current: true}, {ID: text, Provider: text, Removable: true}},
				Linkable:   []ProviderLink{{Name: text, Title: text, URL: text}},
				Delegations: []Delegation{
					{ID: text, Client: text, Provider: text, Allowed: true, Since: at, LastUsed: at},
					{ID: text, Client: text, Provider: text, Allowed: true, ByPolicy: true},
					{ID: text, Client: text, Provider: text, ByPolicy: true},
					{ID: text, Client: text, Provider: text},
				},
				Sessions: []Session{
					{ID: text, Site: text, UserAgent: text, Since: at, LastSeen: at, Current: true},
					{ID: text, Site: text, UserAgent: text, Since: at, LastSeen: at},
				},
			})
		},
	} {
		rec := httptest.NewRecorder()
		f(rec, httptest.NewRequest(method, "https://auth.example.com/signin", nil))
		visit(page, rec)
	}
}

// elements of a page, in order.
func elements(t testing.TB, body string) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

// attr reports an attribute's value, and whether there is one.
func attr(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func TestStructure(t *testing.T) {
	r := renderer(t, Options{})
	every(t, r, http.MethodGet, "alice", func(page string, rec *httptest.ResponseRecorder) {
		count := map[string]int{}
		ids, labels := map[string]bool{}, map[string]bool{}
		all := elements(t, rec.Body.String())
		for _, n := range all {
			count[n.Data]++
			if id, ok := attr(n, "id"); ok {
				if ids[id] {
					t.Errorf("%s: id %q twice", page, id)
				}
				ids[id] = true
			}
			if f, ok := attr(n, "for"); ok {
				labels[f] = true
			}
			if _, ok := attr(n, "autofocus"); ok {
				count["autofocus"]++
			}
			if _, ok := attr(n, "style"); ok {
				t.Errorf("%s: a style attribute, which the policy blocks", page)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: %s attribute", page, a.Key)
				}
			}
		}
		for _, n := range all {
			if kind, _ := attr(n, "type"); n.Data == "input" && kind != "hidden" {
				if id, _ := attr(n, "id"); !labels[id] {
					t.Errorf("%s: input %q has no label", page, id)
				}
			}
			if refs, ok := attr(n, "aria-describedby"); ok {
				for ref := range strings.FieldsSeq(refs) {
					if !ids[ref] {
						t.Errorf("%s: described by %q, which is not there", page, ref)
					}
				}
			}
			if method, _ := attr(n, "method"); n.Data == "form" && method != "post" {
				t.Errorf("%s: form method %q", page, method)
			}
			if lang, _ := attr(n, "lang"); n.Data == "html" && lang != "en" {
				t.Errorf("%s: lang %q", page, lang)
			}
		}
		for tag, want := range map[string]int{"main": 1, "h1": 1, "title": 1, "style": 1, "script": 0, "iframe": 0, "img": 0} {
			if count[tag] != want {
				t.Errorf("%s: %d %s elements, want %d", page, count[tag], tag, want)
			}
		}
		if count["autofocus"] > 1 {
			t.Errorf("%s: %d autofocus", page, count["autofocus"])
		}
		if n := rec.Body.Len(); n >= 14<<10 {
			t.Errorf("%s: %d bytes, more than one round trip", page, n)
		}
	})
}

func TestSignInFields(t *testing.T) {
	r := renderer(t, Options{})
	for _, tc := range []struct {
		name, username, focus, message string
	}{
		{"first visit", "", "username", ""},
		{"wrong password", "alice", "password", "These do not match."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := get(t, func(w http.ResponseWriter, q *http.Request) {
				r.SignIn(w, q, 200, SignIn{Action: "/x", Username: tc.username, Message: tc.message})
			})
			complete := map[string]string{}
			var focus, alert string
			for _, n := range elements(t, rec.Body.String()) {
				field, _ := attr(n, "name")
				if v, ok := attr(n, "autocomplete"); ok {
					complete[field] = v
				}
				if _, ok := attr(n, "autofocus"); ok {
					focus = field
				}
				if role, _ := attr(n, "role"); role == "alert" {
					alert, _ = attr(n, "id")
				}
				if by, _ := attr(n, "aria-describedby"); n.Data == "input" && by != map[bool]string{true: "error"}[tc.message != ""] {
					t.Errorf("%s described by %q", field, by)
				}
				if v, _ := attr(n, "value"); field == FieldPassword && v != "" {
					t.Error("a password is shown again")
				}
			}
			if complete[FieldUsername] != "username" || complete[FieldPassword] != "current-password" {
				t.Errorf("autocomplete: %v", complete)
			}
			if focus != tc.focus {
				t.Errorf("focus on %q, want %q", focus, tc.focus)
			}
			if (alert == "error") != (tc.message != "") {
				t.Errorf("alert %q", alert)
			}
		})
	}
}

func TestEscaping(t *testing.T) {
	r := renderer(t, Options{})
	for _, attack := range []string{
		`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`,
		`</title><script>alert(1)</script>`, `</style><script>alert(1)</script>`, `javascript:alert(1)`,
		`data:text/html,<script>alert(1)</script>`, `" autofocus onfocus="alert(1)`, `{{.CSS}}`, "\u202Egnp.exe",
		"a\r\nSet-Cookie: x=y", "; script-src *",
	} {
		every(t, r, http.MethodGet, attack, func(page string, rec *httptest.ResponseRecorder) {
			for _, n := range elements(t, rec.Body.String()) {
				if page == "formpost" && n.Data == "script" && n.FirstChild.Data == submitScript {
					continue
				}
				if n.Data == "script" || n.Data == "img" {
					t.Errorf("%s: %q became an element", page, attack)
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") {
						t.Errorf("%s: %q became an attribute", page, attack)
					}
					if v := strings.ToLower(a.Val); (a.Key == "href" || a.Key == "action") && n.Data != "link" &&
						(strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:")) {
						t.Errorf("%s: %s is %q", page, a.Key, a.Val)
					}
				}
			}
			if csp := rec.Header().Get("Content-Security-Policy"); strings.Contains(csp, "script-src") && page != "formpost" {
				t.Errorf("%s: policy %s", page, csp)
			}
		})
	}
	every(t, r, http.MethodGet, "\u202Egnp.exe", func(page string, rec *httptest.ResponseRecorder) {
		shown := regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(rec.Body.String(), "")
		if strings.Contains(shown, "\u202E") {
			t.Errorf("%s: text that turns its direction is shown", page)
		}
	})
}

// Texts of any length leave a page that one round trip can carry.
func TestLongTexts(t *testing.T) {
	r := renderer(t, Options{})
	long := strings.Repeat("x", 1<<20)
	every(t, r, http.MethodGet, long, func(page string, rec *httptest.ResponseRecorder) {
		if n := rec.Body.Len(); n >= 14<<10 {
			t.Errorf("%s: %d bytes", page, n)
		}
	})
}

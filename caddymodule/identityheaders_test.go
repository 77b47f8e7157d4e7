package caddymodule

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

func headersForTest(t testing.TB, h *Headers) *headerSet {
	t.Helper()
	set, err := h.compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestHeaderSet_RemovesEverySpelling(t *testing.T) {
	set := headersForTest(t, &Headers{User: "X-Auth.User"})
	for _, name := range []string{
		"Remote-User", "remote-user", "REMOTE-USER", "Remote_User", "remote_user", "Remote.User", "remote.user", "Remote~User",
		"Remote-Email", "Remote_email", "Remote-Name", "Remote-Groups", "REMOTE_GROUPS", "X-Auth-User", "X_Auth_User", "x-auth.user",
	} {
		for _, key := range []string{name, http.CanonicalHeaderKey(name)} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header[key] = []string{"mallory", "again"}
			set.strip(r)
			if len(r.Header) != 0 {
				t.Errorf("%s remains: %v", key, r.Header)
			}
		}
	}
	for _, name := range []string{"Remote", "Remote-Use", "Remote-Users", "X-Remote-User", "RemoteUser", "Accept", "Remote-User-Agent"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(name, "kept")
		set.strip(r)
		if r.Header.Get(name) != "kept" {
			t.Errorf("%s was removed", name)
		}
	}
}

func TestHeaderSet_RemovesHopByHopDeclarations(t *testing.T) {
	set := headersForTest(t, nil)
	for given, want := range map[string]string{
		"keep-alive": "keep-alive", "close, Remote-User": "close", "remote_user": "", "Upgrade,REMOTE.GROUPS , close": "Upgrade, close",
		" Remote-Email ,": "", "Remote-Users": "Remote-Users",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Connection", given)
		set.strip(r)
		if got := r.Header.Get("Connection"); got != want {
			t.Errorf("Connection: %s became %q, want %q", given, got, want)
		}
	}
}

func TestHeaderSet_RemovesTrailers(t *testing.T) {
	set := headersForTest(t, nil)
	raw := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Remote_User\r\n\r\n" +
		"2\r\nhi\r\n0\r\nX-Sum: 1\r\nRemote_User: mallory\r\nRemote-Groups: admin\r\n\r\n"
	original, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	r := original.WithContext(t.Context()) // as Caddy copies it
	set.strip(r)
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "hi" {
		t.Fatalf("body %q (%v)", body, err)
	}
	if diff := cmp.Diff(http.Header{"X-Sum": {"1"}}, r.Trailer); diff != "" {
		t.Errorf("trailers that go upstream:\n%s", diff)
	}
}

func TestHeaderSet_SetsFreshValues(t *testing.T) {
	set := headersForTest(t, nil)
	id := &identity.Identity{Claims: identity.Claims{
		User: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Zoë", Groups: []string{"staff", "a,b", "50%"},
	}}
	want := http.Header{
		"Remote-User": {"alice"}, "Remote-Email": {"alice@example.com"}, "Remote-Name": {"Zo%C3%AB"}, "Remote-Groups": {"staff,a%2Cb,50%25"},
	}
	one, two := http.Header{}, http.Header{}
	if err := set.set(one, id, new(headerSlots)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
	one["Remote-User"][0] = "edited"
	one["Remote-User"] = append(one["Remote-User"], "more")
	if err := set.set(two, id, new(headerSlots)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, two); diff != "" {
		t.Errorf("an edit of one request's headers reached another's:\n%s", diff)
	}
	unverified := &identity.Identity{Claims: identity.Claims{User: "bob", Email: "alice@example.com"}}
	three := http.Header{}
	if err := set.set(three, unverified, new(headerSlots)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"Remote-User": {"bob"}}, three); diff != "" {
		t.Errorf("an address that is not verified:\n%s", diff)
	}
}

func FuzzHeaderSet_NoSpellingRemains(f *testing.F) {
	for _, name := range []string{"Remote-User", "remote_user", "REMOTE.GROUPS", "Remote", "x", "Remote User"} {
		f.Add(name)
	}
	set := headersForTest(f, nil)
	f.Fuzz(func(t *testing.T, name string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[name] = []string{"x"}
		set.strip(r)
		_, remains := r.Header[name]
		// What a CGI-like interface makes of the name.
		cgi := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
				return c
			}
			return '_'
		}, strings.ToUpper(name))
		ours := slices.Contains([]string{"REMOTE_USER", "REMOTE_EMAIL", "REMOTE_NAME", "REMOTE_GROUPS"}, cgi)
		if isASCII(name) && ours == remains {
			t.Errorf("%q (%s) remains: %t", name, cgi, remains)
		}
	})
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0 }

func FuzzHeaderValue_IsSafeAndUnambiguous(f *testing.F) {
	for _, v := range []string{"alice", "", " a ", "a\r\nX: y", "50%", "Zoë", "a,b", "\x00\xff", "=?utf-8?q?a?="} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, encoded := range []string{headerValue(v), groupsValue([]string{v})} {
			for i := 0; i < len(encoded); i++ {
				if c := encoded[i]; c < ' ' || c >= 0x7f {
					t.Errorf("%q became %q", v, encoded)
				}
			}
			if strings.TrimSpace(encoded) != encoded {
				t.Errorf("%q became %q, which loses a space on the way", v, encoded)
			}
			if decoded, err := url.PathUnescape(encoded); err != nil || decoded != v {
				t.Errorf("%q became %q, which reads as %q (%v)", v, encoded, decoded, err)
			}
		}
		if strings.Contains(groupsValue([]string{v}), ",") {
			t.Errorf("a comma remains in group %q", v)
		}
	})
}

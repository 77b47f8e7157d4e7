package page

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// get renders a page as a browser would ask for it.
func get(t testing.TB, show func(http.ResponseWriter, *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	show(rec, httptest.NewRequest(http.MethodGet, "https://auth.example.com/signin", nil))
	return rec
}

func renderer(t testing.TB, o Options) *Renderer {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignIn(t *testing.T) {
	r := renderer(t, Options{})
	rec := get(t, func(w http.ResponseWriter, req *http.Request) {
		r.SignIn(w, req, http.StatusUnauthorized, SignIn{Site: "app.example.com", Action: "/.gatehouse/signin"})
	})
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("status %d", rec.Code)
	}
}

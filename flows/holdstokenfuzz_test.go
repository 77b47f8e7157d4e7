package flows

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

func FuzzStripCredentials(f *testing.F) {
	g := fuzzGateway(f)
	session := handle.MintSession(g.Keyring, handle.Handle{ID: uuid.Must(uuid.NewV7())})
	for _, around := range []string{"Bearer ", "Basic eDp5, x.", "%", "gts_", "a=1; b=", "eyJ.eyJ.", "=\"", ""} {
		f.Add(around, around)
	}
	f.Fuzz(func(t *testing.T, before, behind string) {
		req := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
		req.Header["Authorization"], req.Header["Cookie"] = []string{before + session + behind}, []string{before + session + behind}
		g.Guard().StripCredentials(req, nil)
		if left := req.Header.Get("Authorization") + req.Header.Get("Cookie"); strings.Contains(left, session) {
			t.Errorf("%q goes upstream", left)
		}
	})
}

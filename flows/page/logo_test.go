package page

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLogo(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for kind, logo := range map[string][]byte{
		"image/png":     picture.Bytes(),
		"image/svg+xml": []byte("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
	} {
		every(t, renderer(t, Options{Title: "Example Corp", Logo: logo}), http.MethodGet, "alice", func(page string, rec *httptest.ResponseRecorder) {
			shown := 0
			for _, n := range elements(t, rec.Body.String()) {
				if src, _ := attr(n, "src"); n.Data == "img" && strings.HasPrefix(src, "data:"+kind+";base64,") {
					shown++
				}
			}
			if shown != 1 || strings.Contains(rec.Body.String(), "ZgotmplZ") {
				t.Errorf("%s shows the %s logo %d times", page, kind, shown)
			}
		})
	}
}

func TestLogo_Mistakes(t *testing.T) {
	for name, logo := range map[string][]byte{
		"10 MB": append([]byte("<svg>"), make([]byte, 10<<20)...),
		"HTML":  []byte("<html><script>alert(1)</script>"),
		"text":  []byte("logo.svg"),
		"ICO":   {0, 0, 1, 0, 1, 0, 16, 16},
	} {
		if _, err := New(Options{Logo: logo}); !errors.Is(err, ErrTemplate) || strings.Contains(err.Error(), "alert") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

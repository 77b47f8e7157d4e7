package chromium_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

func TestEveryDeviceGetsItsPicture(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><title>a page</title><meta name=color-scheme content="light dark">hello`))
	}))
	t.Cleanup(server.Close)

	ctx := chromium.Start(t, "")
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, d := range chromium.Devices() {
		chromium.Shoot(ctx, t, folder, "page", d)
		if _, err := os.Stat(filepath.Join(folder, "page-"+d.Name+".png")); err != nil {
			t.Error(err)
		}
	}
}

package chromium

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// timeout bounds everything that a test does in its browser.
const timeout = time.Minute

// Start starts a browser that ends with the test, and returns the context of
// its first tab, for chromedp.Run. Rules are Chromium's host resolver rules,
// such as "MAP *:443 127.0.0.1:8443". Without Chromium the test is skipped, or
// fails when the environment variable CI is set.
func Start(t testing.TB, rules string) context.Context {
	t.Helper()
	path := find(t)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Headless,
		chromedp.NoSandbox, // the sandbox needs what a container lacks
		chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("ignore-certificate-errors", true), // Caddy's own authority
	}
	if rules != "" {
		options = append(options, chromedp.Flag("host-resolver-rules", rules))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// The browser lives as long as the context of the first Do, so the bound on
	// the rest comes after it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, timeout)
	t.Cleanup(cancel)
	return ctx
}

// Device is a screen to look at pages with.
type Device struct {
	Name          string
	Width, Height int64
	Mobile, Dark  bool
}

// Devices are a desktop and a phone, each light and dark.
func Devices() []Device {
	return []Device{
		{Name: "desktop-light", Width: 1280, Height: 800},
		{Name: "desktop-dark", Width: 1280, Height: 800, Dark: true},
		{Name: "phone-light", Width: 390, Height: 844, Mobile: true},
		{Name: "phone-dark", Width: 390, Height: 844, Mobile: true, Dark: true},
	}
}

// Emulate makes the tab look at pages with a device.
func Emulate(d Device) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if d.Dark {
		scheme = "dark"
	}
	var options []chromedp.EmulateViewportOption
	if d.Mobile {
		options = append(options, chromedp.EmulateScale(3), chromedp.EmulatePortrait,
			chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(d.Width, d.Height, options...),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}),
	)
}

// Shoot writes a picture of the page, as the device shows it, into the folder.
func Shoot(ctx context.Context, t testing.TB, folder, page string, d Device) {
	t.Helper()
	if err := chromedp.Do(ctx, Emulate(d)); err != nil {
		t.Fatalf("emulating %s: %v", d.Name, err)
	}
	// Colours that fade into each other are no colours of the page.
	const still = `Promise.all(document.getAnimations().map(a => a.finished)).then(() => true)`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](still, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatalf("waiting for %s to stand still: %v", page, err)
	}
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("taking a picture of %s: %v", page, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, page+"-"+d.Name+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no Chromium to test with: install the package chromium")
	}
	t.Skip("no Chromium to test with: install the package chromium")
	return ""
}

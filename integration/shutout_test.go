package integration_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// One neighbour at an address begins as many sign-ins and device flows as they may.
// Neither keeps the other kind from anybody, and who has signed in with a browser
// before is not kept from doing so again.
func TestShutOut_NobodyIsByTheirNeighbours(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]string{"memory": "", "redis": "cache redis {env.REDIS_URL}\nsecret {env.GATEHOUSE_SECRET}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openid.Start(t, ssoCallback)
			secrets := new(gateway.Secrets)
			secrets.Learn("client secret", openid.ClientSecret)
			o := gateway.Options{Caddyfile: global(ssoProvider(p), cache) + guarded(ssoSite, upstreamAddr(t), ""), Secrets: secrets}
			if cache != "" {
				o.Env = sharedEnv("", redistest.URL(t))
			}
			n := gateway.Start(t, o)
			b := newBrowser(t, n)
			signInAtProvider(t, b, ssoSite+"/", "alice")
			wantStatus(t, signOut(t, b, ssoSite), http.StatusOK)

			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			t.Cleanup(client.CloseIdleConnections)
			begin := func(method, endpoint string, form url.Values) int {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.Route("app.localhost:80")+"/.gatehouse/"+endpoint, strings.NewReader(form.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = "app.localhost"
				req.Header.Set("Accept", "text/html")
				if form != nil {
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				return resp.StatusCode
			}
			device := func() int { return begin(http.MethodPost, "device_authorization", url.Values{"client_id": {"gate"}}) }
			login := func() int { return begin(http.MethodGet, "login", nil) }
			for i := range 190 {
				if got := device(); got != http.StatusOK {
					t.Fatalf("device %d: %d", i, got)
				}
			}
			if got := login(); got != http.StatusSeeOther {
				t.Fatalf("a sign-in after 190 devices: %d", got)
			}
			for i := 0; login() == http.StatusSeeOther; i++ {
				if i > 250 {
					t.Fatal("sign-ins have no end")
				}
			}
			if got := login(); got != http.StatusTooManyRequests {
				t.Errorf("one sign-in too many: %d", got)
			}
			if got := device(); got != http.StatusOK {
				t.Errorf("a device after too many sign-ins: %d", got)
			}
			page := b.Open(ssoSite + "/")
			if page.Status != http.StatusOK {
				t.Errorf("a browser that is known: %d\n%s%s", page.Status, page.Path(), page.Text())
			}
		})
	}
}

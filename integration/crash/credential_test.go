package crash_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/crash"
)

// credential is what a session is used with. Presenting it reports whether the
// node took it; an error is no answer.
type credential interface {
	present(ctx context.Context, v *crash.Visitor, node int) (accepted bool, err error)
}

// siteCookie is a browser's cookie of the guarded site.
type siteCookie struct{ jar *cookiejar.Jar }

func (c siteCookie) present(ctx context.Context, v *crash.Visitor, node int) (bool, error) {
	page, err := v.Step(ctx, node, http.MethodGet, site+"/", nil, c.jar)
	if err != nil {
		return false, err
	}
	return page.Status == http.StatusOK, nil
}

// portalCookie is a browser's cookie of the portal: good when it gets a code.
type portalCookie struct{ jar *cookiejar.Jar }

func (c portalCookie) present(ctx context.Context, v *crash.Visitor, node int) (bool, error) {
	page, err := v.Step(ctx, node, http.MethodGet, authorization(oauth2.GenerateVerifier()), nil, c.jar)
	if err != nil {
		return false, err
	}
	next := page.Next()
	return next != nil && next.Query().Get("code") != "", nil
}

// accessToken is a program's token at the guarded site.
type accessToken string

func (c accessToken) present(ctx context.Context, v *crash.Visitor, node int) (bool, error) {
	status, err := v.Bearer(ctx, node, site+"/", string(c))
	return status == http.StatusOK, err
}

// refreshToken is the newest of a family.
type refreshToken struct {
	client, token string
	ledger        *crash.Ledger
	family        string
}

// tokens is an answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (c *refreshToken) present(ctx context.Context, v *crash.Visitor, node int) (bool, error) {
	_, successor, err := c.exchange(ctx, v, node)
	if successor != "" {
		c.token = successor
	}
	return successor != "", err
}

// exchange rotates and leaves c as it is.
func (c *refreshToken) exchange(ctx context.Context, v *crash.Visitor, node int) (access, successor string, err error) {
	sent := time.Now()
	var got tokens
	status, err := v.Post(ctx, node, issuer+"/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {c.token}, "client_id": {c.client},
	}, &got)
	switch {
	case err != nil:
		return "", "", err
	case status == http.StatusOK && got.Refresh != "" && got.Refresh != c.token:
		c.ledger.Record(crash.Answer{Kind: crash.Rotated, Family: c.family, Key: c.token, Value: got.Refresh, Sent: sent, Got: time.Now()})
		return got.Access, got.Refresh, nil
	case status == http.StatusBadRequest && got.Error == "invalid_grant":
		return "", "", nil
	}
	return "", "", &crash.UnexpectedError{Path: "/token", Status: status, Text: got.Error}
}

// authorization is the address of an authorization request of the client web.
func authorization(verifier string) string {
	return issuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {redirect}, "scope": {"openid offline_access"}, "resource": {site},
		"state": {"s"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

// copyJar is a jar with the same cookies at the top of the given origins.
func copyJar(t testing.TB, jar *cookiejar.Jar, addresses ...string) *cookiejar.Jar {
	t.Helper()
	made, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		made.SetCookies(u, jar.Cookies(u))
	}
	return made
}

// has reports whether the jar holds a session of the origin.
func has(jar *cookiejar.Jar, address string) bool {
	u, err := url.Parse(address + "/")
	if err != nil {
		return false
	}
	for _, cookie := range jar.Cookies(u) {
		if cookie.Name == "gatehouse" || cookie.Name == "gatehouse-portal" {
			return true
		}
	}
	return false
}

var (
	_ credential = siteCookie{}
	_ credential = portalCookie{}
	_ credential = accessToken("")
	_ credential = (*refreshToken)(nil)
)

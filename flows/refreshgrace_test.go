package flows_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// nativeTokens are those of a fresh code of the public client native, which may bind
// them to a key.
func (w *world) nativeTokens(b *browser, redeemedBy func(url.Values) answer) answer {
	w.t.Helper()
	const uri = "http://127.0.0.1:4711/cb"
	code := w.code(b, authorizeParams("native", uri, "openid offline_access"))
	got := redeemedBy(with(redeem(code), set("redirect_uri", uri)))
	if got.status != 200 {
		w.t.Fatalf("%d %v", got.status, got.body)
	}
	return got
}

func refreshing(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// https://github.com/advplyr/audiobookshelf/issues/5281 and atproto#5411: the answer to
// a refresh was lost, and the client asks again when it is next opened. A client that
// proves itself gets the successor, as long as nobody has used that.
func TestRefresh_ALateRetry(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	holder := newHolder(t, w.clock.now)
	native, web := app{t, w, "native", ""}, app{t, w, "web", "web-secret-of-enough-length"}
	bound := func(form url.Values) answer {
		return native.send(form, holder.proof("POST", w.portalURL()+"/token", "", nil))
	}
	confidential := func(form url.Values) answer { return web.send(form) }
	for name, c := range map[string]struct {
		first answer
		send  func(url.Values) answer
	}{
		"a secret":        {web.send(redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access")))), confidential},
		"a key, by DPoP ": {w.nativeTokens(b, bound), bound},
	} {
		one := c.first.text("refresh_token")
		two := c.send(refreshing(one))
		w.clock.advance(3 * time.Hour)
		for range 2 {
			if late := c.send(refreshing(one)); late.status != 200 || late.text("refresh_token") != two.text("refresh_token") {
				t.Errorf("%s: a late retry: %d %v", name, late.status, late.body)
			}
		}
		three := c.send(refreshing(two.text("refresh_token")))
		if three.status != 200 {
			t.Fatalf("%s: the successor: %d %v", name, three.status, three.body)
		}
		// The successor has been used, and so the answer was not lost: reuse.
		if got := c.send(refreshing(one)); got.text("error") != "invalid_grant" {
			t.Errorf("%s: reuse: %d %v", name, got.status, got.body)
		}
		if got := c.send(refreshing(three.text("refresh_token"))); got.text("error") != "invalid_grant" {
			t.Errorf("%s: the family survived a reuse: %d %v", name, got.status, got.body)
		}
	}
}

// RFC 9700, section 4.14.2: a thief and the client of a public client's bearer token
// take turns, a minute apart. The second of them is noticed, and both are out.
func TestRefresh_TwoHoldersOfAPublicClient(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		clients := oauthClients()
		for _, c := range clients {
			c.RefreshGrace = grace
		}
		w := newWorld(t, worldOptions{portal: true, clients: clients})
		w.clock.hold(0)
		native := app{t, w, "native", ""}
		first := w.nativeTokens(w.signedInBrowser(), func(form url.Values) answer { return native.send(form) })
		stolen := first.text("refresh_token")
		clients[0].RefreshGrace = max(grace, client.DefaultRefreshGrace)
		owner := native.send(refreshing(stolen))
		w.clock.advance(clients[0].RefreshGrace - time.Second)
		if again := native.send(refreshing(stolen)); again.text("refresh_token") != owner.text("refresh_token") {
			t.Errorf("%s: a retry within the grace: %d %v", grace, again.status, again.body)
		}
		w.clock.advance(time.Minute)
		if thief := native.send(refreshing(stolen)); thief.text("error") != "invalid_grant" {
			t.Errorf("%s: the second holder: %d %v", grace, thief.status, thief.body)
		}
		if got := native.send(refreshing(owner.text("refresh_token"))); got.text("error") != "invalid_grant" {
			t.Errorf("%s: the family survived: %d %v", grace, got.status, got.body)
		}
		if log := w.logs.String(); !strings.Contains(log, "refresh token was reused") {
			t.Errorf("%s: nobody is told", grace)
		}
	}
}

// What a client is told of a refusal has the reference of its line in the log, which
// names the client and the reason.
func TestRefusal_IsInTheLog(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	lineOf := func(description string) string {
		t.Helper()
		found := reference.FindString(description)
		if found == "" {
			t.Errorf("%q names no reference", description)
			return ""
		}
		found = strings.TrimSuffix(strings.TrimPrefix(found, " (reference "), ")")
		for line := range strings.Lines(w.logs.String()) {
			if strings.Contains(line, "reference="+found) {
				return line
			}
		}
		t.Errorf("the log has no line of reference %s", found)
		return ""
	}
	for name, c := range map[string]struct {
		description string
		line        []string
	}{
		"token, wrong secret": {
			w.call("token", redeem("x"), "Authorization: Basic d2ViOng=").answer.text("error_description"),
			[]string{"client_id=web", "error=invalid_client", "endpoint=/token"},
		},
		"token, bad code": {
			w.call("token", redeem("x"), basic("web")).answer.text("error_description"),
			[]string{"client_id=web", "error=invalid_grant"},
		},
		"token, unknown client": {
			w.call("token", with(redeem("x"), set("client_id", "nobody"))).answer.text("error_description"),
			[]string{"client_id=nobody", "error=invalid_client"},
		},
		"par": {
			w.call("par", url.Values{"scope": {"openid"}}, basic("web")).answer.text("error_description"),
			[]string{"client_id=web", "error=invalid_request", "endpoint=/par"},
		},
		"authorize": {
			w.toClient(b, authorizeParams("web", "https://web.test/cb", "nothing")).Get("error_description"),
			[]string{"client_id=web", "error=invalid_scope", "redirect_uri=https://web.test/cb"},
		},
	} {
		line := lineOf(c.description)
		for _, want := range c.line {
			if !strings.Contains(line, want) {
				t.Errorf("%s: the line lacks %s: %s", name, want, line)
			}
		}
	}
	// A redirect URI that is not the client's, whose page names the reference.
	page := b.get(w.portalURL() + "/authorize?" + authorizeParams("web", "https://evil.test/cb", "openid").Encode()).body
	for line := range strings.Lines(w.logs.String()) {
		if !strings.Contains(line, "redirect_uri=https://evil.test/cb") {
			continue
		}
		_, after, _ := strings.Cut(line, "reference=")
		if id, _, _ := strings.Cut(after, " "); !strings.Contains(line, "client_id=web") || !strings.Contains(page, id) {
			t.Errorf("the page does not name the line: %s", line)
		}
		return
	}
	t.Error("the log says nothing of the address that was refused")
}

package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// posted is a provider that answers by POST.
type posted struct{ provider.Redirect }

func (posted) PostsAnswers() bool { return true }

// post sends a form as the browser does from the provider's page: without our cookies,
// which are SameSite, so by a browser that has none.
func post(t *testing.T, to string, form url.Values) *browser {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://appleid.apple.com")
	return newBrowser(t).held().do(req)
}

// TestFormPost: Apple answers by a form that the browser posts (response_mode=
// form_post), in a request that has none of our cookies. A gateway that takes GET alone
// answers 405 (field case A12; https://github.com/oauth2-proxy/oauth2-proxy/issues/1205).
func TestFormPost(t *testing.T) {
	for name, portal := range map[string]bool{"a site of its own": false, "a portal": true} {
		t.Run(name, func(t *testing.T) {
			_, rp := twoWorldsWrapped(t, worldOptions{portal: portal}, func(p provider.Redirect) provider.Provider { return posted{p} })
			b := newBrowser(t)
			callback, err := url.Parse(stopAtAnyCallback(t, b, rp))
			if err != nil {
				t.Fatal(err)
			}
			form := callback.Query()
			callback.RawQuery = ""
			other := url.Values{"state": form["state"], "code": {"x"}, "error": {"access_denied"}}
			post(t, callback.String(), other).want(400, "ambiguous")
			post(t, callback.String(), url.Values{"state": {"nonsense"}, "code": {"x"}}).want(303, "")
			// A flow may not grow by what anybody posts to it.
			post(t, callback.String(), url.Values{"state": form["state"], "code": {strings.Repeat("x", 5<<10)}}).want(400, "too long")
			post(t, callback.String(), url.Values{"state": form["state"], "code": {"x"}, "iss": {strings.Repeat("x", 1<<10)}}).want(400, "too long")

			answered := post(t, callback.String(), form)
			answered.want(303, "")
			to, err := callback.Parse(answered.last.Header.Get("Location"))
			if err != nil || to.Path != callback.Path || to.Query().Has("code") {
				t.Fatalf("it goes on at %s (%v)", to, err)
			}
			newBrowser(t).get(to.String()).want(400, "Cookies are blocked") // somebody else's browser
			b.get(to.String()).want(200, "hello alice@example.com at /secret")
			b.get(to.String()).want(200, "hello alice@example.com at /secret") // once more
		})
	}
}

// TestFormPost_Refusal: a refusal comes by POST, too.
func TestFormPost_Refusal(t *testing.T) {
	_, rp := twoWorldsWrapped(t, worldOptions{}, func(p provider.Redirect) provider.Provider { return posted{p} })
	b := newBrowser(t)
	callback, _ := url.Parse(stopAtCallback(t, b, rp))
	state := callback.Query().Get("state")
	callback.RawQuery = ""
	answered := post(t, callback.String(), url.Values{"state": {state}, "error": {"user_cancelled_authorize"}})
	to, _ := callback.Parse(answered.want(303, "").last.Header.Get("Location"))
	b.held().get(to.String()).want(403, "did not sign you in")
}

// TestFormPost_OnlyWhereAsked: a provider that was not asked to post is taken by GET
// alone.
func TestFormPost_OnlyWhereAsked(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	post(t, rp.siteURL("app")+"/.gatehouse/callback/outside", url.Values{"state": {"x"}}).want(405, "")
}

// stopAtAnyCallback is stopAtCallback for a portal as well.
func stopAtAnyCallback(t *testing.T, b *browser, rp *world) string {
	t.Helper()
	held := b.held()
	next := rp.siteURL("app") + "/secret"
	for range 12 {
		held.get(next)
		location := held.last.Header.Get("Location")
		if location == "" {
			held.signIn("alice", "wonderland")
			location = held.last.Header.Get("Location")
		}
		to, err := held.last.Request.URL.Parse(location)
		if err != nil || location == "" {
			t.Fatalf("lost at %s: %s", held.last.Request.URL, held.body)
		}
		if strings.HasSuffix(to.Path, "/callback/outside") {
			return to.String()
		}
		next = to.String()
	}
	t.Fatal("the callback was not reached")
	return ""
}

package browser

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// learnQuery learns the secrets of an address.
func (b *Browser) learnQuery(u *url.URL) {
	query := u.Query()
	for _, name := range []string{"code", "state", "id_token_hint", "access_token"} {
		for _, value := range query[name] {
			b.learn(name, value)
		}
	}
}

// learnAnswer learns cookies, the secrets of a redirect, and tokens.
func (b *Browser) learnAnswer(page *Page, cookies []*http.Cookie) {
	for _, cookie := range cookies {
		b.learn("cookie "+cookie.Name, cookie.Value)
	}
	if location, err := page.URL.Parse(page.Header.Get("Location")); err == nil {
		b.learnQuery(location)
	}
	var tokens map[string]any
	if json.Unmarshal([]byte(page.Body), &tokens) != nil {
		return
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code"} {
		if value, ok := tokens[name].(string); ok {
			b.learn(name, value)
		}
	}
}

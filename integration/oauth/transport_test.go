package oauth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// learning is a transport that remembers the tokens of answers as secrets, so
// that a gateway that logged one would fail the test.
type learning struct {
	next  http.RoundTripper
	learn func(what, value string)
}

func (l learning) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) != nil {
		return resp, nil
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code", "request_uri"} {
		if value, ok := tokens[name].(string); ok {
			l.learn(name, value)
		}
	}
	return resp, nil
}

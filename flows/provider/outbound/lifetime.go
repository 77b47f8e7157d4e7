package outbound

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// TokenClient is a client for token requests. It reads lifetimes as servers write
// them: 3600.0, "3600" and "" are none of RFC 6749's numbers (section 5.1), and the
// library refuses the whole answer for them. What cannot be read is no lifetime.
func TokenClient(c *http.Client) *http.Client {
	with := *c
	with.Transport = lifetimeTransport{c.Transport}
	return &with
}

type lifetimeTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t lifetimeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	body = withLifetime(body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// withLifetime is a token answer whose expires_in is a whole number, or not there.
func withLifetime(body []byte) []byte {
	const name = "expires_in"
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil || answer[name] == nil {
		return body
	}
	if _, err := strconv.ParseInt(string(answer[name]), 10, 32); err == nil {
		return body
	}
	var value any
	_ = json.Unmarshal(answer[name], &value) // it is a part of what could be read
	if seconds := Seconds(value); seconds > 0 {
		answer[name] = strconv.AppendInt(nil, seconds, 10)
	} else {
		delete(answer, name)
	}
	changed, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return changed
}

package client

import (
	"fmt"
	"slices"
)

// The ways in which an answer is sent to a client (OAuth 2.0 Multiple Response Type
// Encoding Practices; OAuth 2.0 Form Post Response Mode).
const (
	ModeQuery    = "query"
	ModeFragment = "fragment"
	ModeFormPost = "form_post"
)

// ResponseModes are all of them.
func ResponseModes() []string { return []string{ModeQuery, ModeFragment, ModeFormPost} }

func (c *Client) validateResponseModes() error {
	if c.ResponseModes == nil {
		c.ResponseModes = []string{ModeQuery}
	}
	for _, mode := range c.ResponseModes {
		if !slices.Contains(ResponseModes(), mode) {
			return fmt.Errorf("client %q: response_modes has %q, which is not query, fragment or form_post", c.ID, mode)
		}
	}
	if len(c.ResponseModes) == 0 {
		return fmt.Errorf("client %q: response_modes is empty", c.ID)
	}
	return nil
}

// AnswerMode is how an answer goes to a redirect URI if a request names a mode, or
// with "" none, which is query. ok reports whether the client may have that; else the
// mode is one that it has, in which it can be told.
func (c *Client) AnswerMode(requested, redirectURI string) (mode string, ok bool) {
	if requested == "" {
		requested = ModeQuery
	}
	may := func(mode string) bool {
		return slices.Contains(c.ResponseModes, mode) && (mode != ModeFormPost || isWeb(redirectURI))
	}
	if may(requested) {
		return requested, true
	}
	if i := slices.IndexFunc(c.ResponseModes, may); i >= 0 {
		return c.ResponseModes[i], false
	}
	return ModeQuery, false
}

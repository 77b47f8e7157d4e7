package flows

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// callbackParameters must not be repeated.
var callbackParameters = []string{"code", "state", "error", "error_description", "iss"}

var errCallback = errors.New("a parameter of the answer cannot be read")

// callbackQuery are the parameters of an answer, by which a sign-in ends. What an
// error is described by is for people, and may be written as it likes: RFC 6749,
// section 4.1.2.1, allows both ; and %, and not every provider escapes them. Nothing
// depends on it. All else must be readable.
func callbackQuery(r *web.Request) (url.Values, error) {
	_, raw, _ := strings.Cut(r.URI, "?")
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		switch {
		case key == "error_description" && err != nil:
			plain = value
		case key != "error_description" && (err != nil || strings.Contains(pair, ";")):
			return query, errCallback
		}
		name, err := url.QueryUnescape(key)
		if err != nil {
			return query, errCallback
		}
		if slices.Contains(callbackParameters, name) {
			query.Add(name, plain)
		}
	}
	return query, nil
}

package caddymodule

import (
	"context"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// mustSignIn reports whether a request matches one of the guard's matcher sets
// in any of the ways that an upstream may read it ([reading.Others]), or may
// match one that looks at what cannot be read ([doubt]). It fails with
// [reading.ErrMalformed] where no reading can be trusted.
func (g *Guard) mustSignIn(r *http.Request) (bool, error) {
	match, err := g.matchers.AnyMatchWithError(r)
	if match || err != nil {
		return match, err
	}
	others, err := reading.Others(r, g.sight.Looks)
	if err != nil {
		return false, err
	}
	doubt, inDoubt := g.doubtOf(r, len(others) > 0)
	if inDoubt {
		if match, err = doubt.mayMatch(g.sights, r); match || err != nil {
			return match, err
		}
	}
	for _, other := range others {
		read := readAs(r, other)
		if inDoubt {
			match, err = doubt.mayMatch(g.sights, read)
		} else {
			match, err = g.matchers.AnyMatchWithError(read)
		}
		if match || err != nil {
			return match, err
		}
	}
	return false, nil
}

// matchesHoweverRead reports whether the matcher matches a request as it was sent and
// by every other reading, with nothing in doubt.
func (g *Guard) matchesHoweverRead(r *http.Request) (bool, error) {
	match, err := g.matchers.AnyMatchWithError(r)
	if !match || err != nil {
		return false, err
	}
	others, err := reading.Others(r, g.sight.Looks)
	if err != nil {
		return false, err
	}
	if _, inDoubt := g.doubtOf(r, len(others) > 0); inDoubt {
		return false, nil
	}
	for _, other := range others {
		if match, err = g.matchers.AnyMatchWithError(readAs(r, other)); !match || err != nil {
			return false, err
		}
	}
	return true, nil
}

// readAs is a request as an upstream that reads it so would see it, also to
// matchers that look at placeholders, such as expressions.
func readAs(r *http.Request, as reading.Reading) *http.Request {
	url := *r.URL
	url.Path, url.RawPath, url.RawQuery = as.Path, "", as.RawQuery
	read := r.WithContext(r.Context())
	read.Method, read.URL, read.RequestURI = as.Method, &url, url.RequestURI()
	sent, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return read
	}
	var own *caddy.Replacer // made where a matcher asks: Caddy's answers for this reading
	repl := caddy.NewEmptyReplacer()
	repl.Map(func(key string) (any, bool) {
		if !isOfReading(key) {
			return sent.Get(key)
		}
		if own == nil {
			own = caddy.NewEmptyReplacer()
			caddyhttp.PrepareRequest(read, own, nil, nil)
		}
		return own.Get(key)
	})
	return read.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
}

// isOfReading reports whether a placeholder depends on how the request is read.
func isOfReading(key string) bool {
	switch key {
	case "http.request.method", "http.request.orig_method":
		return true
	}
	return strings.HasPrefix(key, "http.request.uri") || strings.HasPrefix(key, "http.request.orig_uri")
}

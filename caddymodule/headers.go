package caddymodule

import (
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"
)

// Headers are the names of the headers that tell upstreams who is signed in.
// "off" sends none of that kind; the default name is then still removed from
// what clients send.
type Headers struct {
	// Who it is, as policies and the access log name them. Default:
	// `Remote-User`.
	User string `json:"user,omitempty"`
	// The verified e-mail address. Default: `Remote-Email`.
	Email string `json:"email,omitempty"`
	// The name for people. Default: `Remote-Name`.
	Name string `json:"name,omitempty"`
	// The groups. Default: `Remote-Groups`.
	Groups string `json:"groups,omitempty"`
	// How groups, and claims that are lists, are written: `separated`, `json` for an
	// array, or `repeated` for a header line each. Default: `separated`.
	GroupsAs string `json:"groups_as,omitempty"`
	// What separates them, one character. Default: a comma.
	Separator string `json:"separator,omitempty"`
	// Whether a user is refused one of whose groups has the separator. Default: it is
	// written as %XX.
	RefuseSeparator bool `json:"refuse_separator,omitempty"`
	// The most bytes of the groups' header: groups beyond are left out of it, as a
	// whole. Servers refuse requests whose headers are too long, often of more than
	// 8 KiB. Default: no limit.
	GroupsSize int `json:"groups_size,omitempty"`
	// Headers of further claims that the providers' blocks keep, by the header's name.
	// Default: none.
	Claims map[string]string `json:"claims,omitempty"`
	// The header of a signed JWT that says who it is, for this site alone, good for a
	// minute. The issuer publishes the keys. Default: none.
	Assertion string `json:"assertion,omitempty"`
	// The header of the provider's ID token, as long as it is valid. A block with
	// store_tokens has it refreshed. Default: none.
	IDToken string `json:"id_token,omitempty"`
	// The password of `Authorization: Basic` with the user's name. The Authorization
	// that a client sends is then never passed on. Accepts global placeholders, and
	// should be one. Default: none.
	BasicAuth string `json:"basic_auth,omitempty"`
}

// headerOff is the name that switches a header off.
const headerOff = "off"

var defaultHeaders = Headers{User: "Remote-User", Email: "Remote-Email", Name: "Remote-Name", Groups: "Remote-Groups"}

func (h *Headers) fields() []*string {
	return []*string{&h.User, &h.Email, &h.Name, &h.Groups}
}

// reservedHeaders cannot carry an identity: something else gives them meaning.
var reservedHeaders = []string{
	"Accept", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Dpop", "Forwarded",
	"Gatehouse-Authorization", "Host", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
}

func checkHeaderName(name string) error {
	if name == headerOff {
		return nil
	}
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q is not a possible header name", name)
	}
	if slices.Contains(reservedHeaders, http.CanonicalHeaderKey(name)) {
		return fmt.Errorf("the header %s has another meaning", name)
	}
	return nil
}

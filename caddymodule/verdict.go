package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// verdictVar is where the first guard of a request leaves what it found, for
// the guards after it.
const verdictVar = "gatehouse_verdict"

// verdict is what the guards know of one request.
type verdict struct {
	uri    string // as the client sent it
	scheme string
	known  bool // the port is one of the site's
	stream bool // it may outlive the moment it is let in
	// upgrade is a protocol other than WebSocket that the client asks for, and
	// upgraded says that the request has it again.
	upgrade  string
	upgraded bool
	// id is who it is, once a guard has asked.
	id        *identity.Identity
	forbidden bool
	// hidden are the lines of credentialHeaders that were taken away from a
	// request that matched no guard so far; a later one may need them.
	hidden *[len(credentialHeaders)][]string
	values [4]string // of the identity headers
	answer answer
}

func verdictOf(r *http.Request) *verdict {
	v, _ := caddyhttp.GetVar(r.Context(), verdictVar).(*verdict)
	return v
}

// request is the request as flows wants it.
func (v *verdict) request(r *http.Request) *flows.Request {
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return &flows.Request{
		Request: r, URI: v.uri, Scheme: v.scheme, Host: r.Host, Client: client, KnownPort: v.known, TrustedProxy: fromTrustedProxy(r),
	}
}

// credentialHeaders are those that may hold a credential of ours, or a proof.
var credentialHeaders = [...]string{"Cookie", "Authorization", "Dpop"}

// hide takes our credentials away and remembers what was there.
func (v *verdict) hide(g *flows.Gateway, r *http.Request) {
	if v.id != nil || v.hidden != nil {
		return
	}
	v.hidden = new([len(credentialHeaders)][]string)
	for i, name := range credentialHeaders {
		v.hidden[i] = slices.Clone(r.Header[name])
	}
	g.StripCredentials(r, nil)
}

// show undoes hide.
func (v *verdict) show(r *http.Request) {
	if v.hidden == nil {
		return
	}
	for i, name := range credentialHeaders {
		if v.hidden[i] != nil {
			r.Header[name] = v.hidden[i]
		}
	}
	v.hidden = nil
}

// placeholders sets {http.auth.user.*}, as Caddy's own authentication does, or
// {http.auth.candidate.*} for somebody who is known and refused. They are looked
// up only where they are used. What somebody is called is never expanded again.
func (v *verdict) placeholders(r *http.Request) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(v.placeholder)
}

const (
	placeholderPrefix = "http.auth."
	userPrefix        = "user."
	candidatePrefix   = "candidate."
)

func (v *verdict) placeholder(key string) (any, bool) {
	key, ok := strings.CutPrefix(key, placeholderPrefix)
	if !ok {
		return nil, false
	}
	prefix := userPrefix
	if v.forbidden {
		prefix = candidatePrefix
	}
	if key, ok = strings.CutPrefix(key, prefix); !ok {
		return nil, false
	}
	switch key {
	case "id":
		return v.id.User, true
	case "email":
		if !v.id.EmailVerified {
			return "", true
		}
		return v.id.Email, true
	case "name":
		return v.id.Name, true
	case "groups":
		return groupsValue(v.id.Groups), true
	case "provider":
		return v.id.Provider, true
	case "sub":
		return v.id.Subject, true
	case "session":
		if v.id.SessionID == uuid.Nil {
			return "", true
		}
		return v.id.SessionID.String(), true
	}
	return nil, false
}

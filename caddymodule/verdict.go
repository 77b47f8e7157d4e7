package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// verdictVar is where the first guard of a request leaves what it found, for
// the guards after it.
const verdictVar = "gatehouse_verdict"

// verdict is what the guards know of one request.
type verdict struct {
	met    bool   // by a guard
	uri    string // as the client sent it
	scheme string
	known  bool // the port is one of the site's
	// resource is the path of the named resource that the request is of, or "".
	resource string
	stream   bool // it needs a context of its own to be ended by
	// upgrade is a protocol other than WebSocket that the client asks for, and
	// upgraded says that the request has it again.
	upgrade  string
	upgraded bool
	bearer   bool // Authorization is a provider's token
	// id is who it is, once a guard has asked.
	id     *identity.Identity
	looked looked // once a guard or a matcher has asked
	// forbidden: the rules, or what else a guard asks, refuse who it is. A guard that is
	// optional lets them pass all the same, as nobody.
	forbidden bool
	// hidden are the lines of credentialHeaders that were taken away from a
	// request that matched no guard so far; a later one may need them.
	hidden  *[len(credentialHeaders)][]string
	slots   headerSlots
	fitting fitting
	site    *web.Site
	// uncounted: the request is no use of the session.
	uncounted bool
	answer    answer
	asked     web.Request // see request
}

func verdictOf(r *http.Request) *verdict {
	v, _ := caddyhttp.GetVar(r.Context(), verdictVar).(*verdict)
	return v
}

// isMet reports whether a request has met a guard.
func isMet(r *http.Request) bool {
	v := verdictOf(r)
	return v != nil && v.met
}

// newVerdict makes a request's verdict, and has it answer for {http.auth.user.*}
// from now on.
func newVerdict(r *http.Request) *verdict {
	v := new(verdict)
	caddyhttp.SetVar(r.Context(), verdictVar, v)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(v.placeholder)
	}
	return v
}

// origin that the request is for.
func (v *verdict) origin(r *http.Request) string {
	return v.scheme + "://" + web.CanonicalHost(v.scheme, r.Host)
}

// request is the request as flows wants it.
func (v *verdict) request(r *http.Request) *web.Request {
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	v.asked = web.Request{
		Request: r, URI: v.uri, Scheme: v.scheme, Host: r.Host, ClientIP: client, KnownPort: v.known, TrustedProxy: fromTrustedProxy(r),
		Site: v.site, TrustedOrigin: v.fitting.origin, Resource: v.resource,
	}
	return &v.asked
}

// credentialHeaders are those that may hold a credential of ours, or a proof.
var credentialHeaders = [...]string{"Cookie", "Authorization", "Proxy-Authorization", "Dpop", accesstoken.OwnHeader}

// hide takes our credentials away and remembers what was there.
func (v *verdict) hide(g *flows.Gateway, r *http.Request) {
	if v.id != nil || v.hidden != nil {
		return
	}
	v.hidden = new([len(credentialHeaders)][]string)
	for i, name := range credentialHeaders {
		v.hidden[i] = r.Header[name] // what is stripped is replaced, never edited
	}
	g.Guard().StripCredentials(r, nil)
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

const (
	placeholderPrefix = "http.auth."
	userPrefix        = "user."
	candidatePrefix   = "candidate."
)

// placeholder answers for {http.auth.user.*} and, of somebody who is known and
// refused, {http.auth.candidate.*}. They are looked up only where they are used, and
// after what other authentication has set. Of nobody they are empty, whatever they
// are called: Caddy leaves a placeholder that nothing answers for as it is written,
// which an upstream would read as a name. What somebody is called is never expanded
// again.
func (v *verdict) placeholder(key string) (any, bool) {
	key, ok := strings.CutPrefix(key, placeholderPrefix)
	if !ok {
		return nil, false
	}
	field, isUser := strings.CutPrefix(key, userPrefix)
	if !isUser {
		if field, ok = strings.CutPrefix(key, candidatePrefix); !ok {
			return nil, false
		}
	}
	if v.id == nil || v.forbidden == isUser {
		return "", true
	}
	return v.field(field), true
}

func (v *verdict) field(name string) string {
	switch name {
	case "id":
		return v.id.User
	case "email":
		if v.id.EmailVerified {
			return v.id.Email
		}
	case "name":
		return v.id.Name
	case "groups":
		return groupsValue(v.id.Groups)
	case "provider":
		return v.id.Provider
	case "sub":
		return v.id.Subject
	case "session":
		if v.id.SessionID != uuid.Nil {
			return v.id.SessionID.String()
		}
	default:
		if claim, ok := strings.CutPrefix(name, "claims."); ok {
			return claimText(v.id, claim)
		}
	}
	return ""
}

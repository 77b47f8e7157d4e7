package caddymodule

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// headerSet removes identity headers that a client sent, in every spelling, and
// sets ours.
//
// Servers behind CGI-like interfaces (FastCGI, WSGI, Rack, PHP) cannot tell
// Remote-User from Remote_User or remote.user: each becomes HTTP_REMOTE_USER
// (GHSA-f59h-q822-g45g). So names are compared in a normal form in which
// whatever is neither letter nor digit is a dash.
type headerSet struct {
	names [4]string // user, email, name, groups; canonical, "" for none
	lists listFormat
	// groupsSize is how long the groups' header is at most, in bytes; 0: no limit.
	groupsSize int
	// claims are the headers of further claims; assertion is the header of the signed
	// statement, or ""; basic is the password of Basic credentials, or "".
	claims    []claimHeader
	assertion string
	// idToken is the header of the provider's ID token, or "".
	idToken string
	asserts []string // the claims that the assertion holds: those that have headers
	basic   string

	forms []string // normal forms of all names to remove
	// lengths has bit n set when a form has n bytes: most headers are told
	// apart by their length alone.
	lengths uint64
}

// credentialTrailers are trailers that are never passed on: a server that merges
// trailers into the headers, as RFC 9110, section 6.5.1, warns of, would take a
// credential from behind our back.
var credentialTrailers = func() *headerSet {
	s := new(headerSet)
	for _, name := range [...]string{"Cookie", "Authorization", "Proxy-Authorization", "Dpop", accesstoken.OwnHeader} {
		s.remove(name)
	}
	return s
}()

// remove adds a name to those that are removed.
func (s *headerSet) remove(name string) {
	form := normalForm(name)
	if slices.Contains(s.forms, form) {
		return
	}
	s.forms = append(s.forms, form)
	s.lengths |= 1 << min(len(form), 63)
}

func normalForm(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = normalByte(c)
	}
	return string(b)
}

func normalByte(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	default:
		return '-'
	}
}

// matches reports whether a name is one of the set in some spelling.
func (s *headerSet) matches(name string) bool {
	if s.lengths&(1<<min(len(name), 63)) == 0 {
		return false
	}
	for _, form := range s.forms {
		if len(form) == len(name) && sameForm(form, name) {
			return true
		}
	}
	return false
}

func sameForm(form, name string) bool {
	for i := 0; i < len(name); i++ {
		if form[i] != normalByte(name[i]) {
			return false
		}
	}
	return true
}

// strip removes the identity headers of a request, the hop-by-hop declarations
// that would have a proxy remove ours, and such trailers. It passes over the
// headers once, and tells on the way whether the request may become what a closed
// connection does not end (a WebSocket, or gRPC, whose status travels behind it)
// and whether it asks for an upgrade.
func (s *headerSet) strip(r *http.Request) (stream, upgrade bool) {
	for name, values := range r.Header {
		switch name {
		case "Upgrade", "Http2-Settings":
			upgrade = true
		case "Content-Type":
			stream = stream || anyContains(values, '/', "application/grpc")
		case "Connection":
			s.stripTokens(r.Header, name, values)
		case accesstoken.OwnHeader: // it is read first; other spellings are not, and go
		default:
			if s.matches(name) {
				delete(r.Header, name)
			}
		}
	}
	if r.Trailer != nil {
		s.stripAllTrailers(r)
		credentialTrailers.stripAllTrailers(r)
	}
	return stream || r.Method == http.MethodConnect, upgrade
}

// anyContains looks for a part, and before that for a byte of it that most
// values lack: what browsers accept has many a t, but no dash.
func anyContains(values []string, rare byte, part string) bool {
	for _, v := range values {
		if strings.IndexByte(v, rare) >= 0 && strings.Contains(v, part) {
			return true
		}
	}
	return false
}

// stripAllTrailers removes trailers that were announced, and has those removed
// that arrive.
func (s *headerSet) stripAllTrailers(r *http.Request) {
	if announced, ok := r.Header["Trailer"]; ok {
		s.stripTokens(r.Header, "Trailer", announced)
	}
	s.stripTrailers(r.Trailer)
	if r.Body != nil {
		r.Body = &trailerFilter{ReadCloser: r.Body, set: s, trailer: r.Trailer}
	}
}

// stripTokens removes names of the set from a header that lists header names. A
// client that sends "Connection: Remote-User" has the next proxy drop the header
// that we set (RFC 9110, section 7.6.1).
func (s *headerSet) stripTokens(h http.Header, key string, lines []string) {
	found := false
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			found = found || s.matches(strings.TrimSpace(token))
		}
	}
	if !found {
		return
	}
	var kept []string
	for _, line := range lines {
		var tokens []string
		for token := range strings.SplitSeq(line, ",") {
			if token = strings.TrimSpace(token); token != "" && !s.matches(token) {
				tokens = append(tokens, token)
			}
		}
		if len(tokens) > 0 {
			kept = append(kept, strings.Join(tokens, ", "))
		}
	}
	if len(kept) == 0 {
		delete(h, key)
		return
	}
	h[key] = kept
}

func (s *headerSet) stripTrailers(trailer http.Header) {
	for name := range trailer {
		if s.matches(name) || reading.IsUpgradeHeader(name) || name == "Connection" {
			delete(trailer, name)
		}
	}
}

// trailerFilter removes trailers as they arrive: net/http adds those that were
// never announced when it meets the end of the body.
type trailerFilter struct {
	io.ReadCloser
	set     *headerSet
	trailer http.Header
}

func (f *trailerFilter) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil {
		f.set.stripTrailers(f.trailer)
	}
	return n, err
}

package guard

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// StripCredentials removes what is ours from a request on its way upstream: our
// cookies, and whatever else of Cookie, Authorization and Proxy-Authorization holds
// a token or a handle of ours. id is who the request authenticated as, or nil if
// nobody has asked.
func (g *Guard) StripCredentials(r *http.Request, id *identity.Identity) {
	web.StripCookies(r.Header)
	g.stripCookiesWithTokens(r.Header, r.Host)
	if values, there := r.Header["Proxy-Authorization"]; there && g.mayHoldToken(values, r.Host) {
		delete(r.Header, "Proxy-Authorization")
	}
	_, own := r.Header[accesstoken.OwnHeader]
	if own {
		delete(r.Header, accesstoken.OwnHeader)
		delete(r.Header, "Dpop")
	}
	values, there := r.Header["Authorization"]
	if !there {
		return
	}
	// What they authenticated by holds nothing else.
	if id != nil && id.TokenID != "" && !own || g.mayHoldToken(values, r.Host) {
		dropToken(r.Header)
	}
}

// How much of the Authorization headers of a request is looked at: words of the
// form of a JWT, and bytes. Parsing as many as a request can hold takes a second.
// Other words, of which Digest and the like have many, cost nothing.
const (
	maxWords         = 16
	maxAuthorization = 2 * accesstoken.MaxLength
)

// mayHoldToken reports whether a token of ours stands anywhere in the values of a
// header, whatever is around it: a server may read a scheme or a list that we do
// not. Of what is too much to look at, that cannot be told, and so it may.
func (g *Guard) mayHoldToken(values []string, host string) bool {
	size := 0
	s := search{gateway: g, host: host}
	for _, value := range values {
		if size += len(value); size > maxAuthorization || s.found(value) {
			return true
		}
		// Basic has its name and password in base64.
		for word := range strings.FieldsFuncSeq(value, betweenBase64) {
			if decoded := decodeBase64(word); mentions(decoded) && s.found(decoded) {
				return true
			}
		}
	}
	return false
}

// search looks for tokens of a host's issuer.
type search struct {
	gateway *Guard
	host    string
	// How many words of the form of a JWT, and beginnings of handles, so far.
	words, handles int
}

// found reports whether a text holds a token of ours, or too much to tell.
func (s *search) found(text string) bool {
	if s.foundAsIs(text) {
		return true
	}
	return strings.Contains(text, "%") && s.foundAsIs(unescape(text))
}

// unescape decodes the valid escapes of a text and leaves the others as they are.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func (s *search) foundAsIs(text string) bool {
	for word := range strings.FieldsFuncSeq(text, betweenTokens) {
		if s.handleIn(word) {
			return true
		}
		if strings.Count(word, ".") < 2 {
			continue
		}
		if s.words++; s.words > maxWords || s.claimsIn(word) {
			return true
		}
	}
	return false
}

// handleIn reports whether a word has a part that begins like a handle of ours, or
// holds a handle that we made between other characters. The MAC says which: those
// letters come about by chance, too.
func (s *search) handleIn(word string) bool {
	for at := strings.Index(word, "gt"); at >= 0; {
		rest := word[at:]
		if strings.HasPrefix(rest, handle.SessionPrefix) || strings.HasPrefix(rest, handle.RefreshPrefix) {
			if s.handles++; at == 0 || word[at-1] == '.' || s.handles > maxWords || s.begins(rest) {
				return true
			}
		}
		next := strings.Index(word[at+1:], "gt")
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

// begins reports whether a text begins with a handle that we made.
func (s *search) begins(text string) bool {
	if len(text) >= handle.SessionLength {
		if _, err := handle.ParseSession(s.gateway.Keyring, text[:handle.SessionLength]); err == nil {
			return true
		}
	}
	if len(text) < handle.RefreshLength {
		return false
	}
	for _, issuer := range s.gateway.grantIssuers(s.host) {
		if _, err := handle.ParseRefresh(s.gateway.Keyring, issuer, text[:handle.RefreshLength]); err == nil {
			return true
		}
	}
	return false
}

// claimsIn reports whether a part of a word is the claims of a token of ours: in a
// JWT they stand between dots, whatever stands before the header or behind the
// signature. Nothing is believed of it.
func (s *search) claimsIn(word string) bool {
	for part := range strings.SplitSeq(word, ".") {
		if !strings.HasPrefix(part, "eyJ") || len(part) > accesstoken.MaxLength { // {"
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			continue
		}
		var claims struct {
			Issuer string `json:"iss"`
		}
		if json.Unmarshal(raw, &claims) == nil && claims.Issuer != "" && s.gateway.Access.IsIssuerOf(claims.Issuer, s.host) {
			return true
		}
	}
	return false
}

// grantIssuers are what a host's refresh tokens may be bound to.
func (g *Guard) grantIssuers(host string) []string {
	if g.hasPortal() {
		return []string{g.Portal.GrantIssuer()}
	}
	var issuers []string
	for _, secure := range []bool{true, false} {
		at, _ := g.IssuerAt(host, secure)
		issuers = append(issuers, at.GrantIssuer())
	}
	return issuers
}

// mentions reports whether a text may hold a token of ours at all.
func mentions(text string) bool {
	return strings.Contains(text, handle.SessionPrefix) || strings.Contains(text, handle.RefreshPrefix) || strings.Contains(text, "eyJ")
}

// ourClaims is how the claims of our tokens begin, in base64url: {"iss":
const ourClaims = "eyJpc3MiO"

// stripCookiesWithTokens removes cookies of other names that hold a token of ours.
// What others keep in cookies is not looked into unless it begins like ours.
func (g *Guard) stripCookiesWithTokens(h http.Header, host string) {
	lines := h["Cookie"]
	for i, line := range lines {
		if !strings.Contains(line, handle.SessionPrefix) && !strings.Contains(line, handle.RefreshPrefix) && !strings.Contains(line, ourClaims) {
			continue
		}
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			if s := (search{gateway: g, host: host}); !s.found(pair) {
				kept = append(kept, pair)
			}
		}
		lines[i] = strings.TrimSpace(strings.Join(kept, ";")) // stripCookies made the list
	}
	if len(lines) == 0 {
		return
	}
	some := lines[:0]
	for _, line := range lines {
		if line != "" {
			some = append(some, line)
		}
	}
	if len(some) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = some
}

// dropToken removes an access token and the proof that came with it.
func dropToken(h http.Header) {
	delete(h, "Authorization")
	delete(h, "Dpop")
}

// betweenTokens reports whether a character cannot be part of a token of ours.
func betweenTokens(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// betweenBase64 reports whether a character is of neither alphabet of RFC 4648.
func betweenBase64(c rune) bool { return betweenTokens(c) && c != '+' && c != '/' || c == '.' }

var toURLAlphabet = strings.NewReplacer("+", "-", "/", "_")

// decodeBase64 decodes either alphabet, or returns "".
func decodeBase64(word string) string {
	if len(word) < handle.SessionLength {
		return "" // no token of ours fits in
	}
	decoded, err := base64.RawURLEncoding.DecodeString(toURLAlphabet.Replace(word))
	if err != nil {
		return ""
	}
	return string(decoded)
}

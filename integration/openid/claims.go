package openid

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Claims to add to what the library says, or to take away where the value is
// Absent. Raw JSON is sent as it is.
type Claims map[string]any

// Absent takes a claim away.
var Absent = new(struct{})

// claims is what the provider says otherwise than the library.
type claims struct {
	idToken  Claims
	userinfo Claims
	refusal  int // status of userinfo; 0 for none
	key      *ecdsa.PrivateKey
}

// SayInIDToken changes the claims of later ID tokens.
func (p *Provider) SayInIDToken(c Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims.idToken = c
}

// SayInUserInfo changes the claims of later answers of userinfo.
func (p *Provider) SayInUserInfo(c Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims.userinfo = c
}

// RefuseUserInfo makes userinfo answer a status and nothing else; 0 ends that.
func (p *Provider) RefuseUserInfo(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims.refusal = status
}

// apply makes one object of the library's claims and the changes.
func (c Claims) apply(to map[string]any) {
	for name, value := range c {
		if value == Absent {
			delete(to, name)
			continue
		}
		to[name] = value
	}
}

const changedKeyID = "changed for a test"

// resign is the ID token with other claims, signed by a further key of the
// provider. The caller holds the lock.
func (p *Provider) resign(idToken string) (string, error) {
	token, err := jose.ParseSignedCompact(idToken, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", err
	}
	var said map[string]any
	if err := json.Unmarshal(token.UnsafePayloadWithoutVerification(), &said); err != nil {
		return "", err
	}
	p.claims.idToken.apply(said)
	payload, err := json.Marshal(said)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.claims.key, KeyID: changedKeyID}}, nil)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// serveChanged answers metadata, keys and userinfo with the changes, and reports
// whether the path is one of those.
func (p *Provider) serveChanged(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
	p.mu.Lock()
	c := p.claims
	p.mu.Unlock()
	var change func(map[string]any)
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		change = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"RS256", "ES256"} }
	case "/keys":
		change = func(m map[string]any) {
			keys, _ := m["keys"].([]any)
			m["keys"] = append(keys, jose.JSONWebKey{Key: &c.key.PublicKey, KeyID: changedKeyID, Algorithm: "ES256", Use: "sig"})
		}
	case "/userinfo":
		if c.refusal != 0 {
			w.WriteHeader(c.refusal)
			return true
		}
		change = c.userinfo.apply
	default:
		return false
	}
	recorded := httptest.NewRecorder()
	next.ServeHTTP(recorded, r)
	body := recorded.Body.Bytes()
	var all map[string]any
	if recorded.Code == http.StatusOK && json.Unmarshal(body, &all) == nil {
		change(all)
		if changed, err := json.Marshal(all); err == nil {
			body = changed
		}
	}
	maps.Copy(w.Header(), recorded.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(body)
	return true
}

// sayInIDToken changes the ID token of a token answer. The caller holds the lock.
func (p *Provider) sayInIDToken(answer map[string]any) {
	idToken, _ := answer["id_token"].(string)
	if p.claims.idToken == nil || strings.Count(idToken, ".") != 2 {
		return
	}
	changed, err := p.resign(idToken)
	if err != nil {
		changed = fmt.Sprint("the test could not sign it: ", err)
	}
	answer["id_token"] = changed
}

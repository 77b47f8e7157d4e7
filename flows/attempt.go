package flows

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// maxAttempts is how many sign-ins one browser may have begun at once; beyond
// it the oldest attempt's cookie goes.
const maxAttempts = 60

// attempt is one sign-in that was begun in one browser. Its id travels as part
// of the state parameter, its secret in a cookie of that browser. Whoever has
// only one of the two has nothing, so a callback that somebody else began is
// refused before its code is looked at (RFC 9700, section 4.7).
type attempt struct {
	id     uuid.UUID
	secret []byte // 16 bytes
	// key is which of the keyring's it was begun under: the first, until a new
	// secret is put in front of it.
	key int
}

func (g *Gateway) newAttempt() attempt {
	return attempt{id: handle.NewID(g.Now(), g.Random), secret: g.Keyring.Random(16)}
}

// cookie is the name of the attempt's cookie: it holds the time, so that the
// oldest can be told, and what the ids of one millisecond differ in.
func (a attempt) cookie() string {
	return web.TryCookie + base64.RawURLEncoding.EncodeToString(append(slices.Clone(a.id[:6]), a.id[10:]...))
}

// state is the attempt's id and a MAC that ties it to the cookie and to the
// purpose (the provider's name, or the hand-over).
func (g *Gateway) state(a attempt, purpose string) string {
	mac := g.Keyring.MAC("state", a.id[:], a.secret, []byte(purpose))[:16]
	return base64.RawURLEncoding.EncodeToString(append(slices.Clone(a.id[:]), mac...))
}

// resume finds the attempt of a state in this browser. missing reports that the
// browser sent no cookie for it: then its id is whatever the state says.
func (g *Gateway) resume(r *http.Request, at web.Issuer, state, purpose string) (a attempt, missing, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil || len(raw) != 32 {
		return attempt{}, false, false
	}
	copy(a.id[:], raw)
	value := web.PathCookie(r, at, a.cookie())
	if value == "" {
		return a, true, false
	}
	a.secret, err = base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(a.secret) != 16 {
		return attempt{}, false, false
	}
	a.key = slices.IndexFunc(g.Keyring.MACs("state", a.id[:], a.secret, []byte(purpose)), func(mac []byte) bool {
		return equal(mac[:16], raw[16:])
	})
	if a.key < 0 {
		return attempt{}, false, false
	}
	return a, false, true
}

// derive makes what an attempt needs (PKCE verifier, nonce) from its secret, so
// that nothing of it has to be stored.
func (g *Gateway) derive(a attempt, label string) string {
	return encode(g.Keyring.MACs(label, a.id[:], a.secret)[a.key])
}

// setAttempt gives the browser the attempt's cookie and takes back the oldest
// ones beyond maxAttempts.
func setAttempt(w http.ResponseWriter, r *http.Request, at web.Issuer, a attempt) {
	trimAttempts(w, r, at, maxAttempts-1)
	web.SetPathCookie(w, at, a.cookie(), base64.RawURLEncoding.EncodeToString(a.secret), web.FlowValidity)
}

func trimAttempts(w http.ResponseWriter, r *http.Request, at web.Issuer, keep int) {
	prefix := web.PathCookieName(web.TryCookie, at.Secure())
	type begun struct {
		name string
		at   uint64
	}
	var attempts []begun
	for _, c := range r.Cookies() {
		suffix, ok := strings.CutPrefix(c.Name, prefix)
		if !ok {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(suffix)
		if err != nil || len(raw) != 12 {
			raw = make([]byte, 12) // not ours: as old as can be
		}
		attempts = append(attempts, begun{c.Name, binary.BigEndian.Uint64(append([]byte{0, 0}, raw[:6]...))})
	}
	slices.SortFunc(attempts, func(a, b begun) int { return int(int64(a.at) - int64(b.at)) })
	for len(attempts) > keep {
		name := strings.TrimPrefix(attempts[0].name, web.SecurePrefix)
		web.ClearPathCookie(w, at, name)
		attempts = attempts[1:]
	}
}

// age of an attempt on our own clock.
func (g *Gateway) age(a attempt) time.Duration {
	sec, nsec := a.id.Time().UnixTime()
	return g.Now().Sub(time.Unix(sec, nsec))
}

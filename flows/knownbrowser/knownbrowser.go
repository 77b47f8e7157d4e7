// Package knownbrowser remembers which browsers somebody has signed in with before. What
// strangers do, to a user name or from an address, then keeps that person out of
// nothing. It lets nobody in.
package knownbrowser

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// knownFor is how long a browser is remembered.
const knownFor = 365 * 24 * time.Hour

// Browsers marks browsers by a sealed cookie. It is safe for concurrent use.
type Browsers struct {
	Keyring *keyring.Keyring
	Now     func() time.Time
}

// mark is what a browser keeps of who signed in with it.
type mark struct {
	// User name, if that was by a password here.
	User   string `json:"u,omitempty"`
	Device string `json:"d"`
	Since  int64  `json:"t"`
	// Subject is missing where it was written before 2026-12.
	Subject string `json:"s,omitempty"`
}

// Remember marks the browser as one that somebody has signed in with.
func (b *Browsers) Remember(w http.ResponseWriter, at web.Issuer, username, subject string) {
	known := mark{
		User: username, Device: base64.RawURLEncoding.EncodeToString(b.Keyring.Random(12)), Since: b.Now().Unix(), Subject: subject,
	}
	web.SetPathCookie(w, at, web.KnownCookie, sealed.SealString(b.Keyring, "known browser", []byte(at.ID()), known), knownFor)
}

// RememberOnce is Remember for a sign-in at a provider, unless the browser has a mark
// that is good for half of its time yet: that of a user name counts for more.
func (b *Browsers) RememberOnce(w http.ResponseWriter, r *web.Request, at web.Issuer, subject string) {
	if m, ok := b.mark(r, at); ok && b.Now().Sub(time.Unix(m.Since, 0)) < knownFor/2 {
		return
	}
	b.Remember(w, at, "", subject)
}

// mark reads the browser's mark.
func (b *Browsers) mark(r *web.Request, at web.Issuer) (mark, bool) {
	cookie := web.PathCookie(r.Request, at, web.KnownCookie)
	if cookie == "" {
		return mark{}, false
	}
	m, err := sealed.OpenString[mark](b.Keyring, "known browser", []byte(at.ID()), cookie)
	if err != nil {
		return mark{}, false
	}
	return m, b.Now().Sub(time.Unix(m.Since, 0)) <= knownFor
}

// Device returns the mark's device if the browser is this user's, else "".
func (b *Browsers) Device(r *web.Request, at web.Issuer, username string) string {
	m, ok := b.mark(r, at)
	if !ok || m.User != username || username == "" {
		return ""
	}
	return m.Device
}

// Person is who has signed in with the browser before, or "".
func (b *Browsers) Person(r *web.Request, at web.Issuer) string {
	m, ok := b.mark(r, at)
	switch {
	case !ok:
		return ""
	case m.Subject == "":
		return "user " + m.User
	}
	return m.Subject
}

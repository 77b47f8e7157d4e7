package page

import "net/http"

// SignIn asks who is there: by password, by a provider, or either.
func (r *Renderer) SignIn(w http.ResponseWriter, req *http.Request, status int, p SignIn) {
	r.write(w, req, status, signIn, p.bounded())
}

// Fault says what went wrong and what to do next.
func (r *Renderer) Fault(w http.ResponseWriter, req *http.Request, status int, p Fault) {
	r.write(w, req, status, fault, p.bounded())
}

// Framed opens a sign-in in a tab of its own. It is one of the two pages that others may
// frame: it holds nothing, and whoever is tricked into its link begins to sign in.
func (r *Renderer) Framed(w http.ResponseWriter, req *http.Request, status int, p Framed) {
	r.write(w, req, status, framed, p.bounded())
}

// SignOut asks whether to sign out.
func (r *Renderer) SignOut(w http.ResponseWriter, req *http.Request, status int, p SignOut) {
	r.write(w, req, status, signOut, p.bounded())
}

// SignedOut says that the session has ended.
func (r *Renderer) SignedOut(w http.ResponseWriter, req *http.Request, status int, p SignedOut) {
	r.write(w, req, status, signedOut, p.bounded())
}

// Consent asks whether a client may have what it asks for.
func (r *Renderer) Consent(w http.ResponseWriter, req *http.Request, status int, p Consent) {
	r.write(w, req, status, consent, p.bounded())
}

// Link asks whether an account of a provider is to be connected.
func (r *Renderer) Link(w http.ResponseWriter, req *http.Request, status int, p Link) {
	r.write(w, req, status, link, p.bounded())
}

// Known asks whether the account that has an address is the person's.
func (r *Renderer) Known(w http.ResponseWriter, req *http.Request, status int, p Known) {
	r.write(w, req, status, known, p.bounded())
}

// DeviceCode asks for the code that a device shows (RFC 8628, section 3.3).
func (r *Renderer) DeviceCode(w http.ResponseWriter, req *http.Request, status int, p DeviceCode) {
	r.write(w, req, status, deviceCode, p.bounded())
}

// DeviceConfirm asks whether the device that shows the code may act for the
// person (RFC 8628, section 5.4: tell who asks, and warn of phishing).
func (r *Renderer) DeviceConfirm(w http.ResponseWriter, req *http.Request, status int, p DeviceConfirm) {
	r.write(w, req, status, deviceConfirm, p.bounded(r.now))
}

// DeviceDone says what was decided, and that the window can be closed.
func (r *Renderer) DeviceDone(w http.ResponseWriter, req *http.Request, status int, p DeviceDone) {
	r.write(w, req, status, deviceDone, p.bounded())
}

// Home shows a person their own sessions.
func (r *Renderer) Home(w http.ResponseWriter, req *http.Request, status int, p Home) {
	r.write(w, req, status, home, p.bounded(r.now))
}

package page

import "net/http"

// SignIn asks who is there: by password, by a provider, or either.
func (r *Renderer) SignIn(w http.ResponseWriter, req *http.Request, status int, p SignIn) {
	r.write(w, req, status, signIn, p.bounded(), p.Targets)
}

// Fault says what went wrong and what to do next.
func (r *Renderer) Fault(w http.ResponseWriter, req *http.Request, status int, p Fault) {
	r.write(w, req, status, fault, p.bounded(), nil)
}

// SignOut asks whether to sign out.
func (r *Renderer) SignOut(w http.ResponseWriter, req *http.Request, status int, p SignOut) {
	r.write(w, req, status, signOut, p.bounded(), p.Targets)
}

// SignedOut says that the session has ended.
func (r *Renderer) SignedOut(w http.ResponseWriter, req *http.Request, status int, p SignedOut) {
	r.write(w, req, status, signedOut, p.bounded(), nil)
}

// Consent asks whether a client may have what it asks for.
func (r *Renderer) Consent(w http.ResponseWriter, req *http.Request, status int, p Consent) {
	r.write(w, req, status, consent, p.bounded(), p.Targets)
}

// Link asks whether an account of a provider is to be connected.
func (r *Renderer) Link(w http.ResponseWriter, req *http.Request, status int, p Link) {
	r.write(w, req, status, link, p.bounded(), nil)
}

// Onward sends the browser to another origin after a form has been posted.
// See the type for why this is not a redirect.
func (r *Renderer) Onward(w http.ResponseWriter, req *http.Request, status int, p Onward) {
	v, ok := p.view()
	if ok {
		w.Header().Set("Refresh", "0; url="+string(v.URL))
	}
	r.write(w, req, status, onward, v, nil)
}

// DeviceCode asks for the code that a device shows (RFC 8628, section 3.3).
func (r *Renderer) DeviceCode(w http.ResponseWriter, req *http.Request, status int, p DeviceCode) {
	r.write(w, req, status, deviceCode, p.bounded(), nil)
}

// DeviceConfirm asks whether the device that shows the code may act for the
// person (RFC 8628, section 5.4: tell who asks, and warn of phishing).
func (r *Renderer) DeviceConfirm(w http.ResponseWriter, req *http.Request, status int, p DeviceConfirm) {
	r.write(w, req, status, deviceConfirm, p.bounded(r.now), nil)
}

// DeviceDone says what was decided, and that the window can be closed.
func (r *Renderer) DeviceDone(w http.ResponseWriter, req *http.Request, status int, p DeviceDone) {
	r.write(w, req, status, deviceDone, p.bounded(), nil)
}

// Home shows a person their own sessions.
func (r *Renderer) Home(w http.ResponseWriter, req *http.Request, status int, p Home) {
	r.write(w, req, status, home, p.bounded(r.now), p.Targets)
}

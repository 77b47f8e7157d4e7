package flows

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/usercode"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// How many wrong codes may be entered in a code's lifetime (RFC 8628, section 5.1).
// A code is one of 20 to the 8th, or 2 to the 34.58.
const (
	// wrongCodes of one subject: five guesses hit a given code with a probability
	// of 5 / 20^8, below 2 to the -32, which is what the section asks for. Nobody
	// else feels it.
	wrongCodes = 5
	// wrongCodesPerAddress are those of ten such people: an office, or one who has
	// many accounts. 50 / 20^8 is below 2 to the -28, and whoever hits has but
	// offered an account of their own to a device whose owner sees another code
	// than the one approved.
	wrongCodesPerAddress = 50
	// wrongRefusals of one address, of sign-ins that a provider refused: the most
	// that a hit does is to have a device told so.
	wrongRefusals = 50
)

// noCode stands for a person who has not entered a code yet.
const noCode = "-"

// serveVerification is where a person approves a device (RFC 8628, section
// 3.3). Signing in comes first: a code is looked up for somebody who can be
// held to it.
func (g *Gateway) serveVerification(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	query, ok := g.answers.PageQuery(w, r, at)
	if !ok {
		return
	}
	entered := query.Get("user_code")
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			g.startOver(w, r, at, unreadForm)
			return
		}
		entered = r.PostForm.Get(page.FieldUserCode)
	}
	code := noCode
	if entered != "" {
		code = entered
		if len(code) > usercode.MaxTyped {
			code = code[:usercode.MaxTyped]
		}
	}
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	if id == nil {
		a := authRequest{Client: at.Host, Device: code, Begun: g.Now().Unix()}
		g.chooseAfterSignOut(r, at, &a)
		g.offer(w, r, at, a, "")
		return
	}
	switch {
	case r.Method == http.MethodPost && web.CheckForm(g.Keyring, r, at) != web.FormFine:
		g.logForm(r, "a user code was not looked up", id.ClientID)
		g.codePage(w, r, at, http.StatusForbidden, id, code, "We couldn't verify this form. Please try again.")
		return
	case r.Method != http.MethodPost && !ownDoing(r):
		g.codePage(w, r, at, http.StatusOK, id, code, "") // any page's link could be a guess in their name
		return
	}
	g.confirmPage(w, r, at, code, id)
}

// ownDoing reports whether a person opened an address by themselves, from a QR code
// or a program, and was not sent there by another site's page (Fetch Metadata).
// Browsers that do not tell are not believed.
func ownDoing(r *web.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "none" || site == "same-origin"
}

// codePage asks for the code.
func (g *Gateway) codePage(w http.ResponseWriter, r *web.Request, at web.Issuer, status int, id *identity.Identity, code, message string) {
	if code == noCode {
		code = ""
	}
	g.Pages.DeviceCode(w, r.Request, status, page.DeviceCode{
		User: id.User, Action: at.Path + "device", Fields: []page.Field{web.FormToken(g.Keyring, w, r.Request, at)},
		Code: code, Message: message,
	})
}

// decision is what a confirmation page was about.
type decision struct {
	Key     string `json:"k"`
	Client  string `json:"c"`
	Session string `json:"s"`
	Begun   int64  `json:"t"`
}

// confirmPage looks a code up and asks whether the device is the person's own.
func (g *Gateway) confirmPage(w http.ResponseWriter, r *web.Request, at web.Issuer, code string, id *identity.Identity) {
	if code == noCode {
		g.codePage(w, r, at, http.StatusOK, id, "", "")
		return
	}
	counts := g.codeCounts(r, id)
	tried, leave, err := g.turn(r.Context(), counts)
	defer leave()
	switch {
	case errors.Is(err, provider.ErrBusy):
		w.Header().Set("Retry-After", "2")
		g.codePage(w, r, at, http.StatusServiceUnavailable, id, code, "Many codes are being checked right now. Please try again in a moment.")
		return
	case err != nil:
		g.codeUnread(w, r, at, code, err)
		return
	}
	if wait := longest(tried); wait > 0 {
		w.Header().Set("Retry-After", "60")
		g.Logger.InfoContext(r.Context(), "a user code was not looked up, after too many that were wrong", "user", id.User, "client_ip", r.ClientIP)
		g.codePage(w, r, at, http.StatusTooManyRequests, id, "", "Too many wrong codes. Please wait ten minutes, and check the code on your device.")
		return
	}
	normal, ok := usercode.Parse(code)
	if !ok {
		g.codePage(w, r, at, http.StatusBadRequest, id, code, "A code has eight letters, like BCDF-GHJK. Please check it.")
		return
	}
	key, d, err := g.findDevice(r, at, normal)
	if err != nil {
		g.wrongCode(w, r, at, id, code, counts, err)
		return
	}
	c := g.Clients[d.Client]
	if c == nil {
		g.wrongCode(w, r, at, id, code, nil, cache.ErrNotFound)
		return
	}
	g.showDevice(w, r, at, id, c, d, key, normal)
}

func (g *Gateway) showDevice(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity, c *client.Client, d deviceRequest, key, code string) {
	p := page.DeviceConfirm{
		Client: c.Title, User: id.User, Code: code[:4] + "-" + code[4:], Address: d.Address, UserAgent: d.UserAgent,
		Started: time.Unix(d.Begun, 0), Action: at.Path + "device/decide",
	}
	for _, s := range asked(at, c, d.Scope, d.Resource) {
		p.Scopes = append(p.Scopes, g.plainScope(s))
	}
	if len(d.Resource) == 0 && c.FirstParty && len(c.Resources) == 0 && c.Audience == "" {
		p.Scopes = append(p.Scopes, "Act as you at all sites here that you may use")
	}
	request := sealed.SealString(g.Keyring, "device decision", []byte(at.ID()), decision{
		Key: key, Client: c.ID, Session: id.SessionID.String(), Begun: g.Now().Unix(),
	})
	p.Fields = []page.Field{{Name: "request", Value: request}, web.FormToken(g.Keyring, w, r.Request, at)}
	g.Pages.DeviceConfirm(w, r.Request, http.StatusOK, p)
}

// codeCounts are the counters of wrong codes.
func (g *Gateway) codeCounts(r *web.Request, id *identity.Identity) []cache.Count {
	return []cache.Count{
		{Key: g.counterKey("code-subject", id.Subject), Limit: wrongCodes, Window: deviceValidity},
		{Key: g.counterKey("code-address", web.AddressKey(r.ClientIP)), Limit: wrongCodesPerAddress, Window: deviceValidity},
	}
}

// wrongCode answers a code that finds nothing, and counts it.
func (g *Gateway) wrongCode(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity, code string, counts []cache.Count, err error) {
	message := "That code is not known. Please check it on your device."
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		g.codeUnread(w, r, at, code, err)
		return
	case errors.Is(err, cache.ErrExpired):
		message, counts = "That code has expired. Start again on your device to get a new one.", nil
	case errors.Is(err, cache.ErrState), errors.Is(err, cache.ErrUsed):
		message, counts = "That code was answered already.", nil
	}
	if len(counts) > 0 {
		if _, err := g.countFailure(r.Context(), counts); err != nil {
			g.codeUnread(w, r, at, code, err)
			return
		}
		g.Logger.WarnContext(r.Context(), "wrong user code", "user", id.User, "client_ip", r.ClientIP)
	} else {
		g.Logger.InfoContext(r.Context(), "a user code that was used or has expired", "user", id.User, "client_ip", r.ClientIP, "reason", err)
	}
	g.codePage(w, r, at, http.StatusNotFound, id, code, message)
}

// codeUnread answers when the cache, which knows the codes, is down. A sign-in for
// the code may just have ended at this address: that is not to be repeated.
func (g *Gateway) codeUnread(w http.ResponseWriter, r *web.Request, at web.Issuer, code string, err error) {
	again := at.Path + "device?" + url.Values{"user_code": {code}}.Encode()
	if r.Method == http.MethodGet && !strings.HasPrefix(r.URI, at.Path+"device") {
		g.Logger.WarnContext(r.Context(), "a device's code cannot be looked up now", "error", err)
		web.SeeOther(w, r, again)
		return
	}
	g.answers.Unfinished(w, r, err, again)
}

// serveDecision takes the answer of the confirmation page, from the very
// sign-in that saw it.
func (g *Gateway) serveDecision(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	if err := r.ParseForm(); err != nil {
		g.startOver(w, r, at, unreadForm)
		return
	}
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	d, ok := g.openDecision(at, r.PostForm.Get("request"))
	if !ok || id == nil || d.Session != id.SessionID.String() || web.CheckForm(g.Keyring, r, at) != web.FormFine {
		g.logForm(r, "a device was not approved", d.Client)
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "Nothing was approved", Message: "The answer did not come from the page that asked, or that page is too old.",
			Detail: "invalid_request", RetryURL: at.Path + "device", RetryLabel: "Enter the code again",
		})
		return
	}
	c := g.Clients[d.Client]
	if c == nil {
		g.startOver(w, r, at, "the client "+d.Client+" is gone")
		return
	}
	answer := page.DeviceDone{Client: c.Title, Approved: r.PostForm.Get(page.FieldDecision) == page.Approve}
	if answer.Approved && !g.mayUse(c, id) {
		answer.Approved, answer.Barred = false, true
		g.logRuledOut(r.Context(), "policy refuses a device", c.ID, id)
		g.answers.LogUnread(r, "the client's policy", &id.Claims)
	}
	g.decide(w, r, at, d, c, id, answer)
}

func (g *Gateway) openDecision(at web.Issuer, request string) (decision, bool) {
	d, err := sealed.OpenString[decision](g.Keyring, "device decision", []byte(at.ID()), request)
	if err != nil {
		return d, false
	}
	return d, g.Now().Sub(time.Unix(d.Begun, 0)) < deviceValidity
}

// decide moves the flow on, once: PENDING to READY with who approved, or to
// ERROR, which the device learns with its next poll.
func (g *Gateway) decide(w http.ResponseWriter, r *web.Request, at web.Issuer, d decision, c *client.Client, id *identity.Identity, answer page.DeviceDone) {
	ctx := r.Context()
	move := cache.Transition{Key: d.Key, From: cache.Pending, To: cache.Error}
	if answer.Approved {
		flow, err := g.Cache.Flow(ctx, d.Key)
		var asked deviceRequest
		if err == nil {
			asked, err = g.openDevice(flow)
		}
		if err != nil {
			g.decisionFailed(w, r, at, err)
			return
		}
		move.To = cache.Ready
		move.Value = g.codes.Seal(d.Key, authcode.Grant{
			Subject: id.Subject, Portal: id.SessionID, Client: c.ID, Scope: strings.Fields(asked.Scope),
			Resource: asked.Resource, Claims: id.Claims,
		})
	}
	if _, err := g.Cache.AdvanceFlow(ctx, move); err != nil {
		g.decisionFailed(w, r, at, err)
		return
	}
	name, status := "device_refused", http.StatusOK
	switch {
	case answer.Approved:
		name = "device_approved"
	case answer.Barred:
		status = http.StatusForbidden
	}
	g.Logger.InfoContext(ctx, "device answered", "approved", answer.Approved, "client_id", c.ID, "user", id.User, "client_ip", r.ClientIP)
	g.Events(ctx, name, slog.String("client_id", c.ID), slog.String("user", id.User))
	g.Pages.DeviceDone(w, r.Request, status, answer)
}

func (g *Gateway) openDevice(flow cache.Flow) (deviceRequest, error) {
	if flow.State != cache.Pending {
		return deviceRequest{}, cache.ErrState
	}
	d, err := sealed.Open[deviceRequest](g.Keyring, "flow", []byte(flow.Key), flow.Value)
	if err != nil {
		return deviceRequest{}, cache.ErrNotFound
	}
	return d, nil
}

func (g *Gateway) decisionFailed(w http.ResponseWriter, r *web.Request, at web.Issuer, err error) {
	// The answer that counts may be this very person's, of a click before.
	title, message := "Answered already", "This request was answered already. The first answer counts. If you don't recognize it, end the device's session on your page here."
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		g.answers.Unavailable(w, r, err)
		return
	case errors.Is(err, cache.ErrExpired), errors.Is(err, cache.ErrNotFound):
		title, message = "Nothing was approved", "The code has expired meanwhile. Start again on your device to get a new one."
	}
	g.Logger.InfoContext(r.Context(), "an answer about a device came too late", "client_ip", r.ClientIP, "reason", err)
	g.Pages.Fault(w, r.Request, http.StatusConflict, page.Fault{
		Title: title, Message: message, Detail: "invalid_request",
		RetryURL: at.Path + "device", RetryLabel: "Enter another code",
	})
}

// refuseDevice tells a device that the sign-in for its code was refused at the
// provider, so that it need not wait until the code expires. Nobody is signed in
// here: what is wrong counts by address, and against nobody's own guesses.
func (g *Gateway) refuseDevice(r *web.Request, at web.Issuer, code string) {
	normal, ok := usercode.Parse(code)
	if !ok {
		return
	}
	count := cache.Count{Key: g.counterKey("code-refusal", web.AddressKey(r.ClientIP)), Limit: wrongRefusals, Window: deviceValidity}
	tried, leave, err := g.turn(r.Context(), []cache.Count{count})
	defer leave()
	if err != nil || longest(tried) > 0 {
		return
	}
	key, _, err := g.findDevice(r, at, normal)
	if err != nil {
		_, _ = g.countFailure(r.Context(), []cache.Count{count})
		return
	}
	_, _ = g.Cache.AdvanceFlow(r.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Error})
}

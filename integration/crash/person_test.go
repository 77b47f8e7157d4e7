package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
)

// callbackPath is where the portal hands a browser over to the site.
const callbackPath = "/.gatehouse/callback"

// person is somebody with a browser, some programs and some devices.
type person struct {
	*load
	*crash.Visitor
	name   string
	portal string   // the family of the sign-in at the portal; "": none
	sites  []string // the families that came from it
}

func (l *load) person(n int) *person {
	return &person{load: l, Visitor: l.visitor(l.rounds.Add(1)), name: fmt.Sprintf("person-%d", n%people)}
}

// work does one thing after the other. What the gateways cannot answer now is
// given up and begun anew, as people do, except where a rule says more.
func (p *person) work(ctx context.Context) {
	defer p.Close()
	things := []func(context.Context) error{p.visitSite, p.visitSite, p.useWeb, p.useWeb, p.useDevice, p.signOut}
	for !p.over.Load() {
		p.Move(p.rounds.Add(1) % 50_000)
		if err := things[rand.IntN(len(things))](ctx); err != nil {
			p.failed(err)
			p.Elsewhere()
			time.Sleep(20 * time.Millisecond) // people are not that quick either
		}
	}
}

// answered judges a page that somebody who is signed in at the portal was given.
// To be asked for a password is to be refused: no store that is down excuses it.
func (p *person) answered(page *browser.Page, sent time.Time) {
	if p.portal == "" {
		return
	}
	kind := crash.Accepted
	if asksPassword(page) {
		kind = crash.Refused
	}
	p.Record(crash.Answer{Kind: kind, Family: p.portal, Sent: sent, Got: time.Now()})
}

func asksPassword(page *browser.Page) bool {
	for _, form := range page.Forms() {
		if form.Values.Has("password") {
			return true
		}
	}
	return false
}

// visitSite is handed over to the guarded site, and signs in first where that is
// asked for. One in four callbacks is sent twice at once.
func (p *person) visitSite(ctx context.Context) error {
	if p.portal == "" {
		if err := p.Forget(); err != nil {
			return err
		}
	}
	sent := time.Now()
	page, err := p.Open(ctx, site+"/.gatehouse/login", callbackPath)
	if err != nil {
		return err
	}
	p.answered(page, sent)
	if asksPassword(page) {
		p.portal = ""
		page, err = p.Submit(ctx, page, "password", map[string]string{"username": p.name, "password": password}, callbackPath)
		if err != nil {
			return err
		}
		if has(p.Jar(), issuer) {
			p.portal, p.sites = p.family("portal"), nil
			p.created(p.portal, sent, portalCookie{copyJar(p, p.Jar(), issuer+"/")})
		}
	}
	callback := page.Next()
	if callback == nil || callback.Query().Get("code") == "" {
		return &crash.UnexpectedError{Path: page.URL.Path, Status: page.Status, Text: page.Text()}
	}
	p.learn("code", callback.Query().Get("code"))
	return p.handOver(ctx, callback)
}

func (p *person) handOver(ctx context.Context, callback *url.URL) error {
	family, code := p.family("site"), callback.Query().Get("code")
	present := func(node int) (siteCookie, bool, error) {
		sent := time.Now()
		jar := copyJar(p, p.Jar(), callback.String())
		if _, err := p.Step(ctx, node, http.MethodGet, callback.String(), nil, jar); err != nil {
			return siteCookie{}, false, err
		}
		cookie := siteCookie{copyJar(p, jar, site+"/")}
		if !has(cookie.jar, site) {
			return cookie, false, nil
		}
		p.Record(crash.Answer{Kind: crash.Redeemed, Family: family, Key: code, Sent: sent, Got: time.Now()})
		return cookie, true, nil
	}
	sent := time.Now()
	if rand.IntN(4) == 0 {
		p.both(func(node int) {
			if _, _, err := present(node); err != nil {
				p.failed(err)
			}
		})
		return nil
	}
	cookie, granted, err := present(rand.IntN(len(p.nodes)))
	if err != nil || !granted {
		return err
	}
	if parent := p.portal; parent != "" {
		p.sites = append(p.sites, family)
	}
	p.created(family, sent, cookie)
	for range 3 {
		if _, err := p.check(ctx, p.Visitor, rand.IntN(len(p.nodes)), family, cookie); err != nil {
			return nil
		}
	}
	return nil
}

// both does something at every node at once.
func (p *person) both(do func(node int)) {
	var all sync.WaitGroup
	for node := range p.nodes {
		all.Go(func() { do(node) })
	}
	all.Wait()
}

// useWeb gets a code for the application and redeems it, one in four at both
// nodes at once.
func (p *person) useWeb(ctx context.Context) error {
	if p.portal == "" {
		return p.visitSite(ctx)
	}
	verifier, sent := oauth2.GenerateVerifier(), time.Now()
	page, err := p.Open(ctx, authorization(verifier), "/cb")
	if err != nil {
		return err
	}
	p.answered(page, sent)
	to := page.Next()
	if to == nil {
		p.portal = ""
		return nil
	}
	code := to.Query().Get("code")
	p.learn("code", code)
	return p.redeem(ctx, "web", code, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, rand.IntN(4) == 0)
}

// useDevice starts a device flow, approves it and polls, at both nodes at once.
func (p *person) useDevice(ctx context.Context) error {
	if p.portal == "" {
		return p.visitSite(ctx)
	}
	var device struct {
		Code     string `json:"device_code"`
		Complete string `json:"verification_uri_complete"`
		Error    string `json:"error"`
	}
	node := rand.IntN(len(p.nodes))
	status, err := p.Post(ctx, node, issuer+"/device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid offline_access"}, "resource": {site}}, &device)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return &crash.UnexpectedError{Path: "/device_authorization", Status: status, Text: device.Error}
	}
	sent := time.Now()
	page, err := p.Open(ctx, device.Complete, "")
	if err != nil {
		return err
	}
	p.answered(page, sent)
	if asksPassword(page) {
		p.portal = ""
		return nil
	}
	// An approval whose answer is lost may have happened: the poll tells.
	if _, err := p.Submit(ctx, page, "request", map[string]string{"decision": "approve"}, ""); err != nil {
		p.failed(err)
	}
	return p.redeem(ctx, "cli", device.Code, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.Code},
	}, true)
}

package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
)

// signOut ends the sign-in at the portal and all that came from it, at the
// portal or at the site, and insists until that is confirmed. From then on a
// second is what every node has, whether or not an answer before was lost.
func (p *person) signOut(ctx context.Context) error {
	if p.portal == "" || rand.IntN(3) > 0 {
		return p.visitSite(ctx)
	}
	address, jar := issuer+"/logout", copyJar(p, p.Jar(), issuer+"/logout")
	if len(p.sites) > 0 && rand.IntN(2) == 0 {
		cookie := p.credentials(p.sites[rand.IntN(len(p.sites))])[0].(siteCookie)
		address, jar = site+"/.gatehouse/logout", copyJar(p, cookie.jar, site+"/")
	}
	families := append([]string{p.portal}, p.sites...)
	p.ending(families...)
	node := rand.IntN(len(p.nodes))
	for tries, end := 0, time.Now().Add(time.Minute); ; tries++ {
		err := p.postSignOut(ctx, node, address, jar)
		if err == nil {
			break
		}
		if tries == 0 {
			p.again.Add(1)
		}
		p.failed(err)
		node = (node + 1) % len(p.nodes)
		if time.Now().After(end) {
			return fmt.Errorf("signing out took too long: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.portal, p.sites = "", nil
	p.ended(ctx, p.Visitor, families...)
	return nil
}

// postSignOut returns nil where the page says that one is signed out: after the
// form was sent, or at once where a sign-out before, whose answer was lost, has
// happened.
func (p *person) postSignOut(ctx context.Context, node int, address string, jar *cookiejar.Jar) error {
	page, err := p.Step(ctx, node, http.MethodGet, address, nil, jar)
	if err != nil || saysSignedOut(page) {
		return err
	}
	if forms := page.Forms(); len(forms) > 0 {
		page, err = p.Step(ctx, node, http.MethodPost, forms[0].Action.String(), forms[0].Values, jar)
		if err != nil || saysSignedOut(page) {
			return err
		}
	}
	return &crash.UnexpectedError{Path: page.URL.Path, Status: page.Status, Text: page.Text()}
}

func saysSignedOut(page *browser.Page) bool {
	return page.Status == http.StatusOK && strings.Contains(page.Text(), "You are signed out")
}

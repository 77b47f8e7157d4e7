package flows

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Where TLS ends at a proxy that is not trusted, requests count as plain http while
// the browser speaks https. Then nobody can sign in: forms come from another origin
// than ours, and browsers send Secure cookies back to what reads other names. That
// is never made good by what a request says of itself; it is said to whoever can
// mend it.

// pageEndpoint reports whether an endpoint's POST is a form of our own pages.
func pageEndpoint(endpoint string) bool {
	switch endpoint {
	case "", "login", "logout", "consent", "device", "device/decide":
		return true
	}
	return false
}

// fromHTTPS reports whether a form that came by what we take for plain http was
// sent from a page of the same host that the browser has by https.
func fromHTTPS(r *web.Request) bool {
	return r.Method == http.MethodPost && !r.Secure() && saysHTTPS(r)
}

// saysHTTPS reports whether Origin, or Referer where there is none, names the host
// that was asked, by https.
func saysHTTPS(r *web.Request) bool {
	from := r.Header.Get("Origin")
	if from == "" || from == "null" {
		from = r.Referer()
	}
	u, err := url.Parse(from)
	return err == nil && u.Scheme == "https" && web.ClientOf(u.Host) == web.ClientOf(r.Host)
}

// hintsAtHTTPS names what a request holds that it would not hold by plain http, or
// is "". Browsers send Fetch Metadata to trustworthy addresses alone, which those
// of the machine itself are by plain http, too. Anybody can send all of it, so it
// is a reason to tell the operator, and for nothing else.
func hintsAtHTTPS(r *web.Request) string {
	switch {
	case saysHTTPS(r):
		return "Origin or Referer"
	case len(r.Header["X-Forwarded-Proto"]) > 0 && strings.HasPrefix(strings.ToLower(r.Header.Get("X-Forwarded-Proto")), "https"):
		return "X-Forwarded-Proto"
	case strings.Contains(strings.ToLower(r.Header.Get("Forwarded")), "proto=https"):
		return "Forwarded"
	case r.Header.Get("Sec-Fetch-Mode") != "" && !isLocalHost(r.Host):
		return "Sec-Fetch-Mode"
	}
	return ""
}

// isLocalHost reports whether a host is this machine by its name.
func isLocalHost(host string) bool {
	name := strings.Trim(web.ClientOf(host), "[]")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// noticeHTTPS tells the operator of a browser that speaks https where we think that
// it does not.
func (g *Gateway) noticeHTTPS(r *web.Request) {
	if r.Secure() {
		return
	}
	if seen := hintsAtHTTPS(r); seen != "" {
		g.warnScheme(r, seen)
	}
}

// warnScheme logs the cure, at most once a minute for each host.
func (g *Gateway) warnScheme(r *web.Request, seen string) {
	host := web.ClientOf(r.Host)
	if !g.schemeWarnings.due(host, g.Now()) {
		return
	}
	proxy, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		proxy = r.RemoteAddr
	}
	cure := "the proxy that ends TLS is not trusted; name its address in the global options: { servers { trusted_proxies static ADDRESS } }"
	if r.TrustedProxy {
		cure = "the proxy is trusted but does not say that the browser uses https; have it send X-Forwarded-Proto: https. " +
			"If people do use the site by plain http and the issuer is https, list the site: site http://" + host
	}
	g.Logger.WarnContext(r.Context(), "the request counts as plain http although the browser uses https, so signing in cannot work: "+cure,
		"host", host, "proxy", proxy, "seen", seen)
}

// wrongScheme answers a request that came by plain http, or seems to, where only
// https works. A form of a page is a person's, whatever else it says.
func (g *Gateway) wrongScheme(w http.ResponseWriter, r *web.Request, form bool) {
	g.warnScheme(r, "the configuration")
	message := "This server sees your connection as plain http, but signing in here requires https. " +
		"If your browser says https, the administrator of this site must name the proxy in front of it in trusted_proxies."
	detail := "trusted_proxies"
	if r.TrustedProxy {
		message = "This server sees your connection as plain http, but signing in here requires https. " +
			"If your browser says https, the administrator of this site must have the proxy in front of it send X-Forwarded-Proto."
		detail = "x_forwarded_proto"
	}
	if !form && web.CallerOf(r.Request) != web.CallerNavigation {
		web.Problem(w, http.StatusBadRequest, message, map[string]string{"error": "invalid_request", "error_description": message})
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title: "Signing in is not set up correctly", Message: message, Detail: detail,
	})
}

// wrongIssuer answers a request by https at a portal whose issuer is of plain http:
// nothing that it builds would be the address that the browser is at.
func (g *Gateway) wrongIssuer(w http.ResponseWriter, r *web.Request) {
	if g.schemeWarnings.due(web.ClientOf(r.Host), g.Now()) {
		g.Logger.WarnContext(r.Context(), "the portal is reached by https, but its issuer is plain http; set the issuer to the URL that browsers see: issuer https://"+web.ClientOf(r.Host),
			"issuer", g.portal.ID())
	}
	const message = "This server is reached by https but is set up for plain http. Its administrator must change the issuer to https."
	if web.CallerOf(r.Request) != web.CallerNavigation {
		web.Problem(w, http.StatusBadRequest, message, map[string]string{"error": "invalid_request", "error_description": message})
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{Title: "Signing in is not set up correctly", Message: message, Detail: "issuer"})
}

// plainSite is the guarded site that a redirect URI of plain http would belong to if
// it were https, or "". A site that is reached by a proxy which it does not trust
// asks like this.
func (g *Gateway) plainSite(id, redirectURI string) string {
	rest, plain := strings.CutPrefix(redirectURI, "http://")
	if !plain {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	name := web.HostName(host) // the port is the listener's
	if g.isSite(id, "https://"+rest) || g.isSite(id, "https://"+name+web.Prefix+"callback") {
		return name
	}
	return ""
}

// schemeInterval is how often a wrong scheme is logged of one host.
const schemeInterval = time.Minute

// maxWarned bounds the hosts that are remembered; a wildcard site has any number.
const maxWarned = 1000

// warnings remembers what has been logged lately.
type warnings struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due reports whether something is to be logged of a host now.
func (s *warnings) due(host string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[host]; ok && now.Sub(last) < schemeInterval {
		return false
	}
	if s.last == nil || len(s.last) >= maxWarned {
		for known, last := range s.last {
			if now.Sub(last) >= schemeInterval {
				delete(s.last, known)
			}
		}
		if s.last == nil {
			s.last = make(map[string]time.Time)
		}
		if len(s.last) >= maxWarned {
			return false
		}
	}
	s.last[host] = now
	return true
}

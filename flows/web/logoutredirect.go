package web

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckLogoutRedirect refuses an address that a sign-out is to lead to if browsers may
// read it as another one. It is a URL, or a path of the site.
func CheckLogoutRedirect(to string) error {
	if strings.HasPrefix(to, "/") {
		if SafeReturnTo(to) != to {
			return fmt.Errorf("%q is not a path of the site that people can open", to)
		}
		return nil
	}
	u, err := url.Parse(to)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return fmt.Errorf("%q is neither a URL, such as https://www.example.com/bye, nor a path, such as /bye", to)
	case u.User != nil:
		return fmt.Errorf("%q has a user name before the host, which people take for the host", u.Redacted())
	case u.Fragment != "" || strings.ContainsAny(to, "#\\"):
		return fmt.Errorf("%q must have no fragment and no backslash", to)
	}
	for i := range len(to) {
		if to[i] <= ' ' || to[i] >= 0x7f {
			return fmt.Errorf("%q: write what is not ASCII with escapes, and names as xn--…", to)
		}
	}
	if len(to) > MaxReturnTo || !strings.HasPrefix(to, u.Scheme+"://"+u.Host) {
		return fmt.Errorf("%q is not written as browsers write it", to)
	}
	return nil
}

// LogoutRedirect is where a sign-out at the site leads to, as a URL: to the address that
// is asked for, if that is one of the site's, else to the first of these, else "".
func (r *Request) LogoutRedirect(asked string) string {
	if r.Site == nil || len(r.Site.LogoutRedirects) == 0 {
		return ""
	}
	to := r.Site.LogoutRedirects[0]
	for _, listed := range r.Site.LogoutRedirects {
		if listed == asked {
			to = listed
		}
	}
	if strings.HasPrefix(to, "/") {
		return r.Origin() + to
	}
	return to
}

package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// checkIssuer judges an issuer, ours or a provider's, of which an example tells
// what it looks like (RFC 8414, section 2; OpenID Connect Discovery, section 3).
func checkIssuer(issuer, example string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("issuer %q is not a URL such as %s", issuer, example)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("an issuer has no user, query or fragment: " + example)
	case !strings.HasPrefix(issuer, u.Scheme+":"):
		return fmt.Errorf("issuer %q: issuers are compared to the letter, and none has capital letters in its scheme; write %s%s", issuer, u.Scheme, issuer[len(u.Scheme):])
	case strings.HasSuffix(u.Hostname(), "."):
		return fmt.Errorf("issuer %q: its host ends in a dot%s", issuer, unset)
	}
	if before, _, found := strings.Cut(issuer, "/.well-known/"); found {
		return fmt.Errorf("issuer %q is the address of its metadata; write what stands before that: %s", issuer, before)
	}
	return nil
}

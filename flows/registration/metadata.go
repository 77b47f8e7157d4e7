package registration

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// MaxBody is the largest request to register that is read, in bytes.
const MaxBody = 16 << 10

// maxRedirectURIs that one client may register.
const maxRedirectURIs = 16

// The application types.
const (
	typeNative = "native"
	typeWeb    = "web"
)

// metadata is what is looked at of a client's metadata (RFC 7591, section 2). All else is
// ignored, as the RFC has it; a software_statement too.
type metadata struct {
	ID              string   `json:"client_id"`
	Name            string   `json:"client_name"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
	Secret          any      `json:"client_secret"`
}

// Parse reads a request to register and judges it. It is an [Error] for what cannot be
// granted. What is granted differs from what was asked for where the RFC allows it: a
// client that asks for a secret gets none, and authenticates by nothing, and grant types
// that it may not have are left out.
func Parse(body []byte, now time.Time) (*Registration, error) {
	var m metadata
	if len(body) > MaxBody {
		return nil, invalidMetadata("the registration is larger than %d bytes", MaxBody)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, invalidMetadata("the body is no JSON object of client metadata (RFC 7591, section 2)")
	}
	switch m.AuthMethod {
	case "", client.MethodNone, client.MethodBasic, client.MethodPost:
	default:
		return nil, invalidMetadata("token_endpoint_auth_method can only be none: a client that registers itself proves itself by PKCE")
	}
	r, err := m.grant()
	if err != nil {
		return nil, err
	}
	r.IssuedAt = now.Unix()
	return r, nil
}

// grant judges what both kinds of registration hold.
func (m *metadata) grant() (*Registration, error) {
	switch {
	case len(m.RedirectURIs) == 0:
		return nil, invalidRedirect("redirect_uris is missing")
	case len(m.RedirectURIs) > maxRedirectURIs:
		return nil, invalidRedirect("there are more than %d redirect_uris", maxRedirectURIs)
	case m.GrantTypes != nil && !slices.Contains(m.GrantTypes, client.GrantCode):
		return nil, invalidMetadata("grant_types must hold authorization_code, which is all that a client can register for, beside refresh_token")
	case m.ResponseTypes != nil && !slices.Contains(m.ResponseTypes, "code"):
		return nil, invalidMetadata("response_types must hold code")
	case m.ApplicationType != "" && m.ApplicationType != typeNative && m.ApplicationType != typeWeb:
		return nil, invalidMetadata("application_type must be native or web")
	}
	for _, uri := range m.RedirectURIs {
		if err := CheckRedirectURI(uri); err != nil {
			return nil, err
		}
		if m.ApplicationType == typeWeb && isNative(uri) {
			return nil, invalidRedirect("redirect_uri %q is one of a native application: register with application_type native", uri)
		}
	}
	uris := slices.Clone(m.RedirectURIs)
	slices.Sort(uris)
	return &Registration{
		Name: CleanName(m.Name), RedirectURIs: slices.Compact(uris), Refresh: slices.Contains(m.GrantTypes, client.GrantRefresh),
	}, nil
}

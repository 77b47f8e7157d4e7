package flows

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Registrations that one address may make within a time. Nothing is kept of one, so this
// is for the log and the processor.
const (
	maxRegistrations   = 100
	registrationWindow = time.Hour
)

// registered is the answer of RFC 7591, section 3.2.1: what was registered, not what was
// asked for.
type registered struct {
	ClientID        string   `json:"client_id"`
	IssuedAt        int64    `json:"client_id_issued_at"`
	Name            string   `json:"client_name,omitempty"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
}

// serveRegister is the registration endpoint (RFC 7591, section 3). Nothing is stored.
func (g *Gateway) serveRegister(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	answer, err := g.register(r, at)
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	writeJSON(w, http.StatusCreated, answer)
}

func (g *Gateway) register(r *web.Request, at web.Issuer) (*registered, error) {
	counted, err := g.Cache.Add(r.Context(), cache.Count{
		Key: "register:" + web.AddressKey(r.ClientIP), Limit: maxRegistrations, Window: registrationWindow,
	})
	if err != nil {
		return nil, err
	}
	if counted[0].Count > maxRegistrations {
		return nil, tooManyRegistrations(counted[0].RetryAfter)
	}
	body, err := registrationBody(r)
	if err != nil {
		return nil, err
	}
	said, err := registration.Parse(body, g.Now())
	if err != nil {
		return nil, registrationError(err)
	}
	if slices.ContainsFunc(said.RedirectURIs, g.isOwnAddress) {
		return nil, invalid("invalid_redirect_uri", "a redirect_uri is an address of this server")
	}
	id, err := registration.Seal(g.Keyring, at.ID(), said)
	if err != nil {
		return nil, registrationError(err)
	}
	g.Logger.InfoContext(r.Context(), "a client registered itself", "name", said.Name, "redirect_uri", said.RedirectURIs[0], "client_ip", r.ClientIP)
	return &registered{
		ClientID: id, IssuedAt: said.IssuedAt, Name: said.Name, RedirectURIs: said.RedirectURIs, GrantTypes: said.Grants(),
		ResponseTypes: []string{"code"}, AuthMethod: client.MethodNone, ApplicationType: said.ApplicationType(),
	}, nil
}

// registrationBody reads the JSON of a request.
func registrationBody(r *web.Request) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, invalid("invalid_client_metadata", "the body must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, registration.MaxBody+1))
	switch {
	case errors.Is(err, web.ErrSlowBody):
		return nil, &oauthError{Code: "invalid_client_metadata", Description: web.ErrSlowBody.Error(), Status: http.StatusRequestTimeout}
	case err != nil:
		return nil, invalid("invalid_client_metadata", "the body cannot be read")
	}
	return body, nil
}

func registrationError(err error) error {
	if fault, ok := errors.AsType[*registration.Error](err); ok {
		return invalid(fault.Code.Error(), fault.Description)
	}
	return err
}

func tooManyRegistrations(after time.Duration) error {
	return &oauthError{
		Code: "temporarily_unavailable", Description: "too many clients registered from your address; try again later",
		Status: http.StatusTooManyRequests, RetryAfter: strconv.FormatInt(max(1, seconds(after)), 10),
	}
}

// isOwnAddress reports whether a redirect URI is one of our own endpoints: what is sent
// there would be taken for the answer to a request of ours.
func (g *Gateway) isOwnAddress(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return true
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if strings.HasPrefix(path, web.Prefix) || strings.HasPrefix(u.Path, web.Prefix) {
		return true
	}
	return g.HasPortal() && u.Scheme+"://"+web.CanonicalHost(u.Scheme, u.Host) == g.portal.Origin && strings.HasPrefix(path, g.portal.Path)
}

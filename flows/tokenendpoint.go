package flows

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// The parameters of the token endpoint and its kin, beside those by which a client
// authenticates.
//
//nolint:gochecknoglobals // constant lists
var (
	clientParameters = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"}
	deviceParameters = []string{"scope", "resource", "code_challenge", "code_challenge_method"}
	givenParameters  = []string{"token", "token_type_hint"} // of revocation and introspection
	pushedParameters = append([]string{"resource"}, authorizeParameters...)
)

// endpointRequest is a POST of a client whose form has been read and who has
// been authenticated.
type endpointRequest struct {
	*web.Request
	at     web.Issuer
	client *client.Client
	proof  accesstoken.Proof // DPoP, if one was sent; each grant spends it
	began  time.Time
	leave  func() // when it has been answered; may be nil
}

// redeeming begins to redeem the code of a flow.
func (r *endpointRequest) redeeming(g *Gateway, id uuid.UUID, key string) *authcode.Redemption {
	t, leave := g.codes.Begin(id, key, r.began)
	r.leave = leave
	return t
}

// answered ends the request.
func (r *endpointRequest) answered() {
	if r.leave != nil {
		r.leave()
	}
}

// clientRequest reads a POST with a form of these parameters and authenticates its
// client.
func (g *Gateway) clientRequest(r *web.Request, at web.Issuer, parameters []string) (*endpointRequest, error) {
	began := g.Now()
	if err := readForm(r, slices.Concat(clientParameters, parameters)); err != nil {
		return nil, err
	}
	auth := client.Authenticator{
		Find: func(id string) *client.Client { return g.findClient(at, id) }, Issuer: at.ID(), TokenEndpoint: at.URL("token"), Once: g.Cache.Once, Now: g.Now, From: web.AddressKey(r.ClientIP),
	}
	c, err := auth.Authenticate(r.Request)
	if err != nil {
		return nil, err
	}
	return &endpointRequest{Request: r, at: at, client: c, began: began}, nil
}

// readForm reads the form of a POST: its parameters from the body alone, since what
// is in the URL ends in logs (RFC 6749, section 2.3.1), and each once, but for
// resource (RFC 8707, section 2). What is no parameter of the endpoint is ignored
// (RFC 6749, section 3.2).
func readForm(r *web.Request, parameters []string) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return invalid("invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	switch err := r.ParseForm(); {
	case errors.Is(err, web.ErrSlowBody):
		return &oauthError{Code: "invalid_request", Description: web.ErrSlowBody.Error(), Status: http.StatusRequestTimeout}
	case errors.Is(err, web.ErrLargeBody):
		return invalid("invalid_request", "the body is larger than 64 KiB")
	case err != nil:
		return invalid("invalid_request", "the form cannot be read")
	}
	query, err := r.Query()
	if err != nil {
		return invalid("invalid_request", "the query of the URL cannot be read")
	}
	if slices.ContainsFunc(parameters, query.Has) {
		return invalid("invalid_request", "parameters belong in the body, not in the URL")
	}
	if name := web.Repeated(r.PostForm, parameters...); name != "" {
		return invalid("invalid_request", "the parameter "+name+" occurs twice")
	}
	return nil
}

// serveToken is the token endpoint (RFC 6749, section 3.2).
func (g *Gateway) serveToken(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	req, err := g.clientRequest(r, at, tokenParameters())
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	defer req.answered()
	answer, err := g.grant(r.Context(), req)
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// servedGrant is what the token endpoint does for one of [client.Grants].
type servedGrant struct {
	serve func(*Gateway, context.Context, *endpointRequest) (*tokenResponse, error)
	// parameters of it, each of which a request holds once.
	parameters []string
	// fromVault: it hands out what the vault keeps, and is not supported without one.
	fromVault bool
}

// grants by their types. Each file of a grant registers its own.
var grants = make(map[string]servedGrant)

// register adds a grant. It is called by init functions alone.
func register(grantType string, g servedGrant) {
	if _, twice := grants[grantType]; twice {
		panic("grant " + grantType + " is registered twice")
	}
	grants[grantType] = g
}

// tokenParameters are those of the token endpoint, whatever the grant.
func tokenParameters() []string {
	parameters := []string{"grant_type", "scope", "resource"}
	for _, grant := range client.Grants() {
		parameters = append(parameters, grants[grant.Type].parameters...)
	}
	return parameters
}

// grant checks what all grants share and hands over to one of them, so that
// none can forget a step.
func (g *Gateway) grant(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	grant := req.PostForm.Get("grant_type")
	served, known := grants[grant]
	switch {
	case grant == "":
		return nil, invalid("invalid_request", "grant_type is missing")
	case !known, served.fromVault && g.Vault == nil:
		return nil, invalid("unsupported_grant_type", "this grant type is not supported")
	case !req.client.Allows(grant):
		return nil, invalid("unauthorized_client", "the client may not use this grant type")
	}
	// Now, not when the code has been consumed: who tries again would be taken
	// for a thief.
	err := g.Keys.Ready(req.client.Needed()...)
	if err != nil {
		return nil, err
	}
	if req.proof, err = g.access.CheckProof(req.Request, req.at.URL("token"), "", req.client.RequireDPoP); err != nil {
		return nil, err
	}
	return served.serve(g, ctx, req)
}

// tokenResponse is the answer of RFC 6749, section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in,omitempty"` // left out for a provider token without an expiry
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	// IssuedType is of an exchange (RFC 8693, section 2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
}

// seconds of a duration, rounded down, as the RFCs count.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

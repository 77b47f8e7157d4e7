package flows

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Where metadata is found, below the host (RFC 8414, section 3) or the issuer.
const (
	serverMetadataPath = "/.well-known/oauth-authorization-server"
	openidMetadataPath = "/.well-known/openid-configuration"
)

// metadata is what both discovery documents hold (RFC 8414; OpenID Connect
// Discovery, section 3): what is implemented and nothing else.
type metadata struct {
	Issuer                 string   `json:"issuer"`
	Authorization          string   `json:"authorization_endpoint"`
	Token                  string   `json:"token_endpoint"`
	JWKS                   string   `json:"jwks_uri"`
	Userinfo               string   `json:"userinfo_endpoint"`
	Revocation             string   `json:"revocation_endpoint"`
	Introspection          string   `json:"introspection_endpoint"`
	Registration           string   `json:"registration_endpoint,omitempty"`
	PAR                    string   `json:"pushed_authorization_request_endpoint"`
	Device                 string   `json:"device_authorization_endpoint"`
	EndSession             string   `json:"end_session_endpoint"`
	Scopes                 []string `json:"scopes_supported"`
	ResponseTypes          []string `json:"response_types_supported"`
	ResponseModes          []string `json:"response_modes_supported"`
	Grants                 []string `json:"grant_types_supported"`
	Subjects               []string `json:"subject_types_supported"`
	IDTokenAlgorithms      []string `json:"id_token_signing_alg_values_supported"`
	TokenAuth              []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth         []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms   []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth      []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectAlgorithms   []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	PKCE                   []string `json:"code_challenge_methods_supported"`
	DPoPAlgorithms         []string `json:"dpop_signing_alg_values_supported"`
	Prompts                []string `json:"prompt_values_supported"`
	Claims                 []string `json:"claims_supported"`
	ACRValues              []string `json:"acr_values_supported,omitempty"`
	IssParameter           bool     `json:"authorization_response_iss_parameter_supported"`
	BackchannelLogout      bool     `json:"backchannel_logout_supported"`
	BackchannelSession     bool     `json:"backchannel_logout_session_supported"`
	RequestParameter       bool     `json:"request_parameter_supported"`
	RequestURIParameter    bool     `json:"request_uri_parameter_supported"`
	ClaimsParameter        bool     `json:"claims_parameter_supported"`
	RequirePAR             bool     `json:"require_pushed_authorization_requests"`
	RequireRequestURIKnown bool     `json:"require_request_uri_registration"`
	MetadataDocuments      bool     `json:"client_id_metadata_document_supported,omitempty"`
}

func (g *Gateway) metadataOf(at web.Issuer) metadata {
	signed := clientjwt.Algorithms()
	proven := []string{client.MethodBasic, client.MethodPost, client.MethodPrivateKeyJWT}
	scopes := []string{"openid", "profile", "email", "groups", "offline_access"}
	for _, c := range g.Clients {
		for _, s := range c.Scopes {
			scopes = appendMissing(scopes, s)
		}
	}
	var register string
	documents := false
	if g.registers(at) {
		for i := range g.open {
			if g.isOpenAt(at, &g.open[i]) {
				scopes = merged(scopes, g.open[i].Scopes)
			}
		}
		if documents = g.Registration.Documents != nil; g.Registration.Dynamic {
			register = at.URL("register")
		}
	}
	for _, s := range g.Resources.Scopes() {
		scopes = appendMissing(scopes, s)
	}
	slices.Sort(scopes[5:])
	kept := make(map[string]bool)
	for _, c := range g.Clients {
		for _, claim := range c.Claims {
			kept[claim.Name] = true
		}
	}
	modes := slices.DeleteFunc(client.ResponseModes(), func(mode string) bool {
		return mode != client.ModeQuery && !g.answersBy(mode)
	})
	return metadata{
		Issuer: at.ID(), Authorization: at.URL("authorize"), Token: at.URL("token"), JWKS: at.URL("jwks.json"),
		Userinfo: at.URL("userinfo"), Revocation: at.URL("revoke"), Introspection: at.URL("introspect"), PAR: at.URL("par"),
		Registration: register, MetadataDocuments: documents,
		Device: at.URL("device_authorization"), EndSession: at.URL("logout"),
		Scopes: scopes, ResponseTypes: []string{"code"}, ResponseModes: modes,
		Grants:   client.OfferedGrants(g.Clients),
		Subjects: []string{"public"}, IDTokenAlgorithms: g.Keys.Offered(),
		TokenAuth: append([]string{client.MethodNone}, proven...), TokenAuthAlgorithms: signed,
		RevocationAuth: append([]string{client.MethodNone}, proven...), RevocationAlgorithms: signed,
		IntrospectionAuth: proven, IntrospectAlgorithms: signed,
		PKCE: []string{"S256"}, DPoPAlgorithms: signed, Prompts: []string{"none", "login", "consent", "select_account"},
		Claims: append([]string{
			"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
			"name", "preferred_username", "email", "email_verified", "groups",
		}, slices.Sorted(maps.Keys(kept))...),
		ACRValues: g.ACRValues, IssParameter: true, BackchannelLogout: true, BackchannelSession: true,
	}
}

// serveDiscovery answers with the metadata. The portal's are serialised once, and
// again where a file of signing keys comes to hold those of other algorithms; a
// site's are not kept, since a wildcard site has any number of names.
func (g *Gateway) serveDiscovery(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	if !at.IsPortal {
		serveStatic(w, r, marshal(g.metadataOf(at)), true)
		return
	}
	key := at.ID() + " " + strings.Join(g.Keys.Offered(), " ")
	body, ok := g.discovery.Load(key)
	if !ok {
		body, _ = g.discovery.LoadOrStore(key, marshal(g.metadataOf(at)))
	}
	serveStatic(w, r, body.([]byte), false) //nolint:forcetypeassert // only bytes are stored
}

// serveJWKS answers with the published keys, from memory.
func (g *Gateway) serveJWKS(w http.ResponseWriter, r *web.Request) {
	keys := g.Keys.JWKS()
	if keys == nil {
		w.Header().Set("Retry-After", "5")
		web.Problem(w, http.StatusServiceUnavailable, "The keys cannot be read right now.", nil)
		return
	}
	serveStatic(w, r, keys, false)
}

// mayKeep lets everybody keep a document for an hour, which is how long a key is
// published before it signs. One that repeats the Host header, as those of a site
// do, is kept only where its port is the configuration's: a cache that knows a
// document by host name and path alone would hand out what a stranger asked for.
func mayKeep(w http.ResponseWriter, r *web.Request, repeatsHost bool) {
	if repeatsHost && !r.KnownPort {
		web.NoStore(w)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
}

// serveStatic answers with JSON that may be kept; see mayKeep.
func serveStatic(w http.ResponseWriter, r *web.Request, body []byte, repeatsHost bool) {
	sum := sha256.Sum256(body)
	tag := `"` + encode(sum[:12]) + `"`
	h := w.Header()
	mayKeep(w, r, repeatsHost)
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// answersBy reports whether a client may be answered in a mode.
func (g *Gateway) answersBy(mode string) bool {
	for _, c := range g.Clients {
		if slices.Contains(c.ResponseModes, mode) {
			return true
		}
	}
	return false
}

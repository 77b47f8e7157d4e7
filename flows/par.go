package flows

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// requestURIPrefix of RFC 9126, section 2.2.
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// requestValidity of a pushed request.
const requestValidity = 90 * time.Second

// pushed is a pushed authorization request.
type pushed struct {
	Client string     `json:"c"`
	Params url.Values `json:"p"`
	JKT    string     `json:"k,omitempty"`
}

const requestURILabel = "request uri"

// pushedKey is where a pushed request is found: the cache holds a MAC of its
// request_uri only.
func pushedKey(mac []byte) string { return "par:" + encode(mac[:24]) }

// pushOwner is who pays for a pushed request under the cache's caps: the client,
// if it has proven who it is, since all its users' requests come from its own
// servers, and several clients may share an address; else the address. A client
// has the places of many addresses, which its request_uris share out by their first
// letter: its users may leave the sign-in page without using them up.
func pushOwner(c *client.Client, r *web.Request, id string) string {
	if c == nil || c.Public || id == "" {
		return pushedOwner(r.ClientIP)
	}
	owner := "client:" + id[:1] + ":"
	return owner + c.ID[:min(len(c.ID), cache.MaxKey-len(owner))]
}

// servePAR takes an authorization request from the client itself (RFC 9126).
func (g *Gateway) servePAR(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	req, err := g.clientRequest(r, at, pushedParameters)
	if err == nil {
		err = g.push(w, req)
	}
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
	}
}

func (g *Gateway) push(w http.ResponseWriter, req *endpointRequest) error {
	form := req.PostForm
	if req.client.SelfRegistered {
		return invalid("unauthorized_client", "a client that registered itself cannot push its requests")
	}
	if form.Has("request_uri") || form.Has("request") {
		return invalid("invalid_request", "request and request_uri are not accepted here")
	}
	proof, err := g.access.CheckProof(req.Request, req.at.URL("par"), "", false)
	if err != nil {
		return err
	}
	params := url.Values{}
	for name, values := range form {
		switch name {
		case "client_secret", "client_assertion", "client_assertion_type":
		default:
			params[name] = values
		}
	}
	params.Set("client_id", req.client.ID)
	a, fault := g.parseAuthorize(req.at, req.client, params)
	switch {
	case fault != nil && fault.page:
		return invalid("invalid_request", fault.description)
	case fault != nil:
		return invalid(fault.code, fault.description)
	}
	if a.JKT != "" && proof.JKT != "" && a.JKT != proof.JKT {
		return accesstoken.ErrProof
	}
	id := encode(g.Keyring.Random(32))
	key := pushedKey(g.Keyring.MAC(requestURILabel, []byte(id), []byte(req.at.ID())))
	value := g.Keyring.Seal("pushed request", []byte(key), marshal(pushed{Client: req.client.ID, Params: params, JKT: proof.JKT}))
	if len(value) > cache.MaxValue {
		return invalid("invalid_request", "the request is too large")
	}
	start, owner := g.startFlow, pushOwner(req.client, req.Request, id)
	if !req.client.Public {
		start = g.Cache.StartFlow
	}
	err = start(req.Context(), cache.NewFlow{
		Key: key, State: cache.Ready, Value: value, Proof: []byte(req.client.ID), Validity: requestValidity, Owner: owner,
	})
	if err != nil {
		return err
	}
	if err := g.access.SpendProof(req.Context(), proof); err != nil {
		_ = g.Cache.DeleteFlow(req.Context(), key, owner)
		return err
	}
	writeJSON(w, http.StatusCreated, map[string]any{
		"request_uri": requestURIPrefix + id, "expires_in": seconds(requestValidity),
	})
	return nil
}

// pulled returns the parameters of a request that was pushed here, once, and once
// more to a browser that was told to try again (RFC 9126, section 4, allows that of
// one that reloads).
func (g *Gateway) pulled(r *web.Request, at web.Issuer, query url.Values) (*pushed, error) {
	id, ok := strings.CutPrefix(query.Get("request_uri"), requestURIPrefix)
	if !ok {
		return nil, errRequest
	}
	var flow cache.Flow
	err := cache.ErrNotFound
	owner := pushOwner(g.findClient(at, query.Get("client_id")), r, id)
	for _, mac := range g.Keyring.MACs(requestURILabel, []byte(id), []byte(at.ID())) {
		flow, err = g.Cache.RedeemFlow(r.Context(), pushedKey(mac), []byte(query.Get("client_id")), owner)
		if !errors.Is(err, cache.ErrNotFound) {
			break
		}
	}
	if errors.Is(err, cache.ErrUnavailable) {
		return nil, err
	}
	again := errors.Is(err, cache.ErrUsed) && len(flow.Value) > 0 && g.mayReuse(r, at, id)
	if err != nil && !again {
		return nil, errRequest
	}
	plain, err := g.Keyring.Open("pushed request", []byte(flow.Key), flow.Value)
	if err != nil {
		return nil, errRequest
	}
	var p pushed
	if err := json.Unmarshal(plain, &p); err != nil {
		return nil, errRequest
	}
	return &p, nil
}

// mustPush reports whether a client has to push its requests.
func mustPush(c *client.Client) bool { return c != nil && c.RequirePAR }

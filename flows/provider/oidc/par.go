package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// push sends the parameters of an authorization request to the provider itself and
// returns the URL for the browser, which has none of them (RFC 9126).
func (p *Provider) push(ctx context.Context, m *metadata, request string) (string, error) {
	u, err := url.Parse(request)
	if err != nil {
		return "", p.unavailable("signing in", errors.New("its authorization_endpoint is no URL"))
	}
	own, err := url.Parse(m.AuthURL)
	if err != nil {
		return "", p.unavailable("signing in", errors.New("its authorization_endpoint is no URL"))
	}
	form := u.Query()
	for name := range own.Query() { // which belongs to the endpoint's address
		form.Del(name)
	}
	form.Del("client_id")
	uri, err := p.pushed(ctx, m, form)
	if err != nil {
		return "", err
	}
	query := own.Query()
	query.Set("client_id", p.config.ClientID)
	query.Set("request_uri", uri)
	own.RawQuery = query.Encode()
	return own.String(), nil
}

// pushed is the request_uri of a pushed request. ErrUnavailable.
func (p *Provider) pushed(ctx context.Context, m *metadata, form url.Values) (string, error) {
	const doing = "pushing the authorization request"
	// The id is a parameter of the request, whatever authenticates the client.
	form.Set("client_id", p.config.ClientID)
	req, err := p.formRequest(ctx, m, m.PARURL, form)
	if err != nil {
		return "", p.unavailable(doing, err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return "", p.unavailable(doing, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", p.unavailable(doing, err)
	}
	var answer struct {
		RequestURI string `json:"request_uri"`
		Error      string `json:"error"`
	}
	_ = json.Unmarshal(body, &answer)
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", p.grantFailed(doing, &oauth2.RetrieveError{Response: resp, Body: body, ErrorCode: answer.Error},
			form.Get("state"), form.Get("nonce"), form.Get("client_assertion"), form.Get("client_secret"))
	}
	if !outbound.IsToken(answer.RequestURI) {
		return "", p.unavailable(doing, fmt.Errorf("%s answers no request_uri", m.PARURL))
	}
	return answer.RequestURI, nil
}

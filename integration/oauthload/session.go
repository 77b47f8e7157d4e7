package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// session is one client with one person signed in.
type session struct {
	o        options
	http     *http.Client // to the server that is measured
	browser  http.RoundTripper
	endpoint metadata
	access   string
	token    string // refresh token
}

type metadata struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
}

func newSession(ctx context.Context, o options) (*session, error) {
	s := &session{o: o, http: &http.Client{Transport: &connection{}}, browser: &http.Transport{MaxIdleConnsPerHost: 4}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, err
	}
	return s, s.json(req, &s.endpoint)
}

func (s *session) json(req *http.Request, into any) error {
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %d %s", req.URL.Path, resp.StatusCode, body)
	}
	if len(body) == 0 {
		return nil
	}
	return json.Unmarshal(body, into)
}

func (s *session) post(ctx context.Context, endpoint string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(s.o.client), url.QueryEscape(s.o.secret))
	return s.json(req, into)
}

// signInAgain is one whole sign-in by a new browser: the authorization request,
// the way through the provider, the code, the tokens.
func (s *session) signInAgain(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	verifier := oauth2.GenerateVerifier()
	code := ""
	browser := &http.Client{Jar: jar, Transport: s.browser, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), s.o.redirect) {
			code = req.URL.Query().Get("code")
			return http.ErrUseLastResponse
		}
		if len(via) > 15 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	query := url.Values{
		"response_type": {"code"}, "client_id": {s.o.client}, "redirect_uri": {s.o.redirect}, "scope": {s.o.scope}, "state": {"s"},
		"nonce": {"n"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint.Authorization+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/html")
	resp, err := browser.Do(req)
	if err != nil {
		return err
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	_ = resp.Body.Close()
	if code == "" {
		return fmt.Errorf("no code: %s answered %d %.300s", resp.Request.URL.Path, resp.StatusCode, body)
	}
	return s.take(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.o.redirect}, "code_verifier": {verifier}})
}

// take asks for tokens and keeps them.
func (s *session) take(ctx context.Context, form url.Values) error {
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := s.post(ctx, s.endpoint.Token, form, &answer); err != nil {
		return err
	}
	s.access, s.token = answer.Access, answer.Refresh
	return nil
}

func (s *session) refresh(ctx context.Context) error {
	return s.take(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.token}})
}

func (s *session) introspect(ctx context.Context) error {
	var answer struct {
		Active bool `json:"active"`
	}
	err := s.post(ctx, s.endpoint.Introspection, url.Values{"token": {s.access}}, &answer)
	if err == nil && !answer.Active {
		return fmt.Errorf("the token is not active")
	}
	return err
}

func (s *session) userinfo(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint.Userinfo, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.access)
	var answer map[string]any
	return s.json(req, &answer)
}

package mcp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// goSDK is the official SDK for Go.
func (w *world) goSDK(t *testing.T) {
	const redirect = "http://127.0.0.1:33419/callback"
	b, visits := w.browser(t), 0
	b.StopAt("/callback")
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "Example agent in Go", RedirectURIs: []string{redirect}, GrantTypes: []string{"authorization_code", "refresh_token"},
			TokenEndpointAuthMethod: "none",
		}},
		RequestRefreshToken: true,
		AuthorizationCodeFetcher: func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			visits++
			page := signIn(b, args.URL)
			if page.Next() == nil {
				t.Fatalf("the browser is sent nowhere:\n%s%s", page.Path(), page.Text())
			}
			answer := page.Next().Query()
			return &auth.AuthorizationResult{Code: answer.Get("code"), State: answer.Get("state"), Iss: answer.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		session, err := mcp.NewClient(&mcp.Implementation{Name: "example", Version: "1"}, nil).
			Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: w.url, OAuthHandler: handler}, nil)
		if err != nil {
			return err
		}
		defer func() { _ = session.Close() }()
		got, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet", Arguments: map[string]any{"name": "agent"}})
		if err != nil {
			return err
		}
		if text, ok := got.Content[0].(*mcp.TextContent); !ok || !strings.Contains(text.Text, "Hello, agent!") {
			t.Errorf("the tool answers %+v", got.Content)
		}
		return nil
	}
	for range 2 {
		if err := call(); err != nil || visits != 1 {
			t.Fatalf("%v after %d sign-ins", err, visits)
		}
	}
	source, err := handler.TokenSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	w.stream(t, token.AccessToken)
	if err := call(); err != nil || visits != 2 {
		t.Errorf("after a revocation: %v after %d sign-ins", err, visits)
	}
}

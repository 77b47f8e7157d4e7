package client

import (
	"strings"
	"testing"
)

func TestRefreshTokens_Validate(t *testing.T) {
	for name, c := range map[string]struct {
		client Client
		want   RefreshTokens
		scopes string
		fault  string
	}{
		"default":                   {Client{}, RefreshOffline, "openid profile email", ""},
		"default without the grant": {Client{Grants: []string{GrantCode}}, RefreshOffline, "openid profile email", ""},
		"session":                   {Client{RefreshTokens: RefreshSession}, RefreshSession, "openid profile email", ""},
		"session, with the scope":   {Client{RefreshTokens: RefreshSession, Scopes: []string{"openid", OfflineAccess}}, RefreshSession, "openid offline_access", ""},
		"offline":                   {Client{RefreshTokens: RefreshOffline, Scopes: []string{"openid", OfflineAccess}}, RefreshOffline, "openid offline_access", ""},
		"offline without the scope": {Client{RefreshTokens: RefreshOffline}, "", "", "without the scope offline_access"},
		"always":                    {Client{RefreshTokens: RefreshAlways}, RefreshAlways, "openid profile email offline_access", ""},
		"always, with the scope":    {Client{RefreshTokens: RefreshAlways, Scopes: []string{OfflineAccess, "openid"}}, RefreshAlways, "offline_access openid", ""},
		"always without the grant":  {Client{RefreshTokens: RefreshAlways, Grants: []string{GrantCode}}, "", "", "without the grant refresh_token"},
		"session without the grant": {Client{RefreshTokens: RefreshSession, Grants: []string{GrantCode}}, "", "", "without the grant refresh_token"},
		"unknown":                   {Client{RefreshTokens: "Session"}, "", "", "not session, offline or always"},
	} {
		t.Run(name, func(t *testing.T) {
			c.client.ID, c.client.Public, c.client.RedirectURIs = "x", true, []string{"http://127.0.0.1/cb"}
			err := c.client.Validate()
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %q", err, c.fault)
				}
				return
			}
			if err != nil || c.client.RefreshTokens != c.want || strings.Join(c.client.Scopes, " ") != c.scopes {
				t.Errorf("%s, scopes %v, %v", c.client.RefreshTokens, c.client.Scopes, err)
			}
			// What was filled in is no choice of the operator's.
			if err := c.client.Validate(); err != nil || c.client.RefreshTokens != c.want || strings.Join(c.client.Scopes, " ") != c.scopes {
				t.Errorf("validated once more: %s, scopes %v, %v", c.client.RefreshTokens, c.client.Scopes, err)
			}
		})
	}
}

// https://github.com/Kareadita/Kavita/issues/4373, mcp-remote and Argo CD's defaults:
// clients ask for more than they may have, and go on with what they are given.
func TestPersonScope(t *testing.T) {
	for _, c := range []struct {
		tokens               RefreshTokens
		asked, want, leftOut string
		fault                bool
	}{
		{RefreshSession, "openid offline_access", "openid", "", false},
		{RefreshSession, "offline_access", "", "", true},
		{RefreshSession, "openid admin", "openid", "admin", false},
		{RefreshSession, "", "openid", "", false},
		{RefreshOffline, "openid offline_access", "openid offline_access", "", false},
		{RefreshOffline, "offline_access", "offline_access", "", false},
		{RefreshOffline, "address openid phone", "openid", "address phone", false},
		{RefreshOffline, "address", "", "address", true},
		{RefreshOffline, "", "openid", "", false},
		{RefreshAlways, "openid", "openid offline_access", "", false},
		{RefreshAlways, "", "openid offline_access", "", false},
		{RefreshAlways, "admin", "", "admin", true},
		{RefreshSession, "a\"b", "", "", true},
		{RefreshSession, "openid a\"b", "", "", true},
	} {
		client := Client{RefreshTokens: c.tokens, Scopes: []string{"openid", OfflineAccess}}
		got, leftOut, err := client.PersonScope(c.asked)
		if (err != nil) != c.fault || strings.Join(got, " ") != c.want || strings.Join(leftOut, " ") != c.leftOut {
			t.Errorf("%s: %q is %q without %q, %v", c.tokens, c.asked, got, leftOut, err)
		}
		if len(client.Scopes) != 2 {
			t.Errorf("%s: %q changes the client", c.tokens, c.asked)
		}
	}
	if _, _, err := (&Client{Scopes: []string{"profile"}}).PersonScope("openid profile"); err == nil {
		t.Error("openid was left out of a request that is one of OpenID Connect by it")
	}
}

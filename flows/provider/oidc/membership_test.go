package oidc

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestMembership: Discord lists the guilds of somebody at an address of their own
// (https://discord.com/developers/docs/resources/user#get-current-user-guilds), others
// page by page. They are known all or not at all, at the sign-in and when the provider is
// asked again.
func TestMembership(t *testing.T) {
	t.Parallel()
	guilds := `[{"id":"197038439483310086","name":"Acme","owner":false},{"id":"7","name":"Acme"}]` + "\n"
	for name, tt := range map[string]struct {
		needs  identity.Need
		status int
		link   string
		body   string
		groups string
		cause  identity.Cause
		err    error
		asked  int
	}{
		"a rule is about them": {identity.Judged, 200, "", guilds, "197038439483310086 7", "", nil, 1},
		"no rule is":           {identity.Shown, 200, "", guilds, "", "", nil, 0},
		"in none":              {identity.Judged, 200, "", `[]`, "", "", nil, 1},
		"not granted":          {identity.Judged, 401, "", `{}`, "", identity.CauseRefused, nil, 1},
		"a page of several":    {identity.Judged, 200, `<https://x.example/?page=2>; rel="next"`, guilds, "", identity.CauseShape, nil, 1},
		"a page, in RFC 8288":  {identity.Judged, 200, `<https://x.example/?page=2>; title="x"; rel = "last Next"`, guilds, "", identity.CauseShape, nil, 1},
		"the last page":        {identity.Judged, 200, `<https://x.example/?page=1>; rel="prev"`, guilds, "197038439483310086 7", "", nil, 1},
		"an object":            {identity.Judged, 200, "", `{"id":"7"}`, "", identity.CauseShape, nil, 1},
		"no JSON":              {identity.Judged, 200, "", `<html>`, "", identity.CauseShape, nil, 1},
		"an outage":            {identity.Judged, 503, "", ``, "", "", provider.ErrUnavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			asked := 0
			o.on("/guilds", func(w http.ResponseWriter, r *http.Request) {
				asked++
				if r.Header.Get("Authorization") != "Bearer at" {
					t.Errorf("asked with %q", r.Header.Get("Authorization"))
				}
				if tt.link != "" {
					w.Header().Set("Link", tt.link)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			o.userinfo = obj{"id": "1", "name": "Nelly"}
			p := o.client(func(c *Config) {
				c.Plain, c.Logger, c.Scopes = true, discard, []string{"identify"}
				c.Endpoints = Endpoints{Authorization: o.URL + "/auth", Token: o.URL + "/token", UserInfo: o.URL + "/userinfo", Groups: o.URL + "/guilds"}
				c.ClaimNames, c.GroupsClaim, c.GroupsAs, c.GroupsScope = map[string]string{"sub": "id"}, "guilds", GroupsAsIDs, "guilds"
			})
			p.SetNeeds(identity.Needs{Groups: tt.needs})
			location, err := p.AuthURL(t.Context(), authRequest())
			if err != nil || strings.Contains(location, "scope=identify+guilds") != (tt.asked > 0) {
				t.Errorf("the scope guilds in %s, %v", location, err)
			}
			result, err := signIn(t.Context(), p)
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Fatalf("signing in: %v", err)
			}
			if got := strings.Join(result.Claims.Groups, " "); got != tt.groups || result.Claims.Unread[identity.ClaimGroups] != tt.cause || asked != tt.asked {
				t.Errorf("groups %q, cause %q, asked %d times", got, result.Claims.Unread[identity.ClaimGroups], asked)
			}
			if err != nil {
				return
			}
			again, err := p.Recheck(t.Context(), "rt", result.Claims)
			if got := strings.Join(again.Claims.Groups, " "); err != nil || got != tt.groups || again.Claims.Unread[identity.ClaimGroups] != tt.cause {
				t.Errorf("asked again: %q, %v, %v", got, again.Claims.Unread, err)
			}
		})
	}
}

// TestGroupsBesideTheAccessToken: Keycloak says roles in the access token, and by a
// mapper in the ID token or userinfo; a lightweight access token has none
// (https://www.keycloak.org/docs/latest/server_admin/#_using_lightweight_access_token).
func TestGroupsBesideTheAccessToken(t *testing.T) {
	t.Parallel()
	roles := obj{"resource_access": obj{"grafana": obj{"roles": []string{"viewer"}}}}
	for name, tt := range map[string]struct {
		idToken, access, userinfo obj // access nil: opaque
		want                      string
		cause                     identity.Cause
		asked                     int64
		warned                    bool
	}{
		"in the access token":           {nil, roles, nil, "viewer", "", 0, false},
		"in the ID token":               {roles, nil, nil, "viewer", "", 0, false},
		"in userinfo":                   {nil, obj{}, roles, "viewer", "", 1, false},
		"in userinfo, token unreadable": {nil, nil, roles, "viewer", "", 1, true},
		"nowhere":                       {nil, obj{}, nil, "", "", 1, false},
		"nowhere, token unreadable":     {nil, nil, nil, "", identity.CauseShape, 1, true},
		"the ID token wins":             {roles, obj{"resource_access": obj{"grafana": obj{"roles": []string{"admin"}}}}, nil, "viewer", "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims = func(c obj) {
				delete(c, "groups")
				maps.Copy(c, tt.idToken)
			}
			info := obj{"sub": "u1"}
			maps.Copy(info, tt.userinfo)
			o.userinfo = info
			o.tokens = func(a obj) {
				if tt.access == nil {
					return
				}
				claims := obj{"iss": o.URL, "sub": "u1", "exp": o.clock.Unix() + 300}
				maps.Copy(claims, tt.access)
				a["access_token"] = signed(t, "ES256", o.key, marshal(t, claims), obj{"kid": "1"})
			}
			var log bytes.Buffer
			p := o.client(func(c *Config) {
				c.GroupsInAccessToken, c.GroupsClaim, c.Logger = true, "resource_access.grafana.roles", slog.New(slog.NewTextHandler(&log, nil))
			})
			p.SetNeeds(identity.Needs{Groups: identity.Judged})
			result, err := signIn(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(result.Claims.Groups, " "); got != tt.want || result.Claims.Unread[identity.ClaimGroups] != tt.cause {
				t.Errorf("groups %q, cause %q", got, result.Claims.Unread[identity.ClaimGroups])
			}
			if n := o.fetches["/userinfo"].Load(); n != tt.asked {
				t.Errorf("userinfo was asked %d times, want %d", n, tt.asked)
			}
			if warned := strings.Contains(log.String(), "access token cannot be read"); warned != tt.warned {
				t.Errorf("the log is\n%s", log.String())
			}
		})
	}
}

package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// site answers as GitHub does, or as it is told.
type site struct {
	answers map[string]string // by path; a value that begins with a digit is a status
	form    url.Values
	tokens  int
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/login/oauth/access_token" {
		_ = r.ParseForm()
		s.form = r.PostForm
		s.tokens++
	} else if r.Method == http.MethodGet && r.Header.Get("Authorization") != "Bearer at" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer, ok := s.answers[r.URL.Path+"#"+r.URL.Query().Get("page")]
	if !ok {
		answer = s.answers[r.URL.Path]
	}
	var status int
	if n, _ := fmt.Sscanf(answer, "%d", &status); n == 1 {
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		return
	}
	if strings.HasPrefix(answer, "{") || strings.HasPrefix(answer, "[") {
		w.Header().Set("Content-Type", "application/json")
	} else {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	}
	_, _ = w.Write([]byte(answer))
}

func newProvider(t *testing.T, change map[string]string, edit func(*github.Config)) (*github.Provider, *site, string) {
	t.Helper()
	s := &site{answers: map[string]string{
		"/login/oauth/access_token": "access_token=at&scope=read%3Aorg%2Cuser%3Aemail&token_type=bearer",
		"/api/v3/user":              `{"id":7,"login":"Octo","name":"Octo Cat","email":"public@example.com","type":"User"}`,
		"/api/v3/user/emails":       `[{"email":"x@example.com","verified":true},{"email":"Octo@example.com","primary":true,"verified":true}]`,
		"/api/v3/user/orgs":         `[{"login":"Acme"}]`,
		"/api/v3/user/teams":        `[{"slug":"dev","organization":{"login":"Acme"}},{"slug":"ops","organization":{"login":"x"}}]`,
	}}
	maps.Copy(s.answers, change)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := github.Config{
		Name: "github", ClientID: "id", ClientSecret: "secret", BaseURL: server.URL, Scopes: []string{"user:email", "read:org"},
		HTTPClient: &http.Client{Transport: transport}, Now: func() time.Time { return noon },
	}
	if edit != nil {
		edit(&c)
	}
	p, err := github.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, s, server.URL
}

var callback = provider.Callback{Code: "code", Verifier: strings.Repeat("v", 43), RedirectURI: "https://app/cb", MaxAge: -1}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p, s, issuer := newProvider(t, nil, nil)
	got, err := p.Exchange(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Claims{
		Provider: "github", Issuer: issuer, ID: "7", User: "octo@example.com", Email: "Octo@example.com", EmailVerified: true,
		Name: "Octo Cat", Groups: []string{"acme", "acme/dev", "x/ops"},
	}
	if diff := cmp.Diff(want, got.Claims); diff != "" {
		t.Error(diff)
	}
	if got.Token == nil || got.Token.AccessToken != "at" || !got.Token.ExpiresAt.IsZero() {
		t.Errorf("the token is %+v", got.Token)
	}
	// GitHub writes "repo,gist": https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
	if got.Token.Scope != "read:org user:email" {
		t.Errorf("the token's scope is %q, want the commas replaced by spaces", got.Token.Scope)
	}
	if s.form.Get("code_verifier") != callback.Verifier || s.form.Get("client_secret") != "secret" {
		t.Errorf("the token request was %v", s.form)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change map[string]string
		edit   func(*github.Config)
		want   error
		check  func(identity.Claims) bool
	}{
		{name: "code refused with 200", change: map[string]string{"/login/oauth/access_token": "error=bad_verification_code"}, want: provider.ErrGrant},
		{name: "bad secret", change: map[string]string{"/login/oauth/access_token": `{"error":"incorrect_client_credentials"}`}, want: provider.ErrRefused},
		{name: "bad secret is no outage", change: map[string]string{"/login/oauth/access_token": `{"error":"incorrect_client_credentials"}`}, want: provider.ErrMisconfigured},
		{name: "bad callback URL is no outage", change: map[string]string{"/login/oauth/access_token": `{"error":"redirect_uri_mismatch"}`}, want: provider.ErrMisconfigured},
		{name: "API does not say who it is", change: map[string]string{"/api/v3/user": "403"}, want: provider.ErrWithheld},
		{name: "token endpoint redirects", change: map[string]string{"/login/oauth/access_token": "302"}, want: provider.ErrUnavailable},
		{name: "token with a line break", change: map[string]string{"/login/oauth/access_token": "access_token=a%0d%0ab"}, want: provider.ErrResponse},
		{name: "API is down", change: map[string]string{"/api/v3/user": "503"}, want: provider.ErrUnavailable},
		{name: "user is an array", change: map[string]string{"/api/v3/user": "[]"}, want: provider.ErrResponse},
		{name: "user without id", change: map[string]string{"/api/v3/user": `{"login":"x"}`}, want: provider.ErrResponse},
		{name: "user id in a string", change: map[string]string{"/api/v3/user": `{"login":"x","id":"7"}`}, want: provider.ErrResponse},
		{name: "login with control characters", change: map[string]string{"/api/v3/user": `{"login":"x\n","id":7}`}, want: provider.ErrResponse},
		{
			name: "primary address unverified", change: map[string]string{"/api/v3/user/emails": `[{"email":"a@example.com","primary":true},{"email":"b@example.com","verified":true}]`},
			check: func(c identity.Claims) bool {
				return c.Email == "a@example.com" && !c.EmailVerified && c.User == "github:7"
			},
		},
		{
			name: "e-mail as user, unverified", change: map[string]string{"/api/v3/user/emails": `[]`},
			edit: func(c *github.Config) { c.UserClaim = "email" }, want: provider.ErrResponse,
		},
		{name: "login as user", edit: func(c *github.Config) { c.UserClaim = "login" }, check: func(c identity.Claims) bool { return c.User == "Octo" }},
		{
			name: "too many teams", change: map[string]string{"/api/v3/user/teams": manyTeams(100)},
			check: unread(identity.ClaimGroups, identity.CauseShape),
		},
		{
			name: "an organisation with a letter that is a k in lower case", change: map[string]string{"/api/v3/user/orgs": `[{"login":"\u212aernel"}]`},
			check: unread(identity.ClaimGroups, identity.CauseShape),
		},
		{
			name: "a team with a slash", change: map[string]string{"/api/v3/user/teams": `[{"slug":"a/b","organization":{"login":"x"}}]`},
			check: unread(identity.ClaimGroups, identity.CauseShape),
		},
		{
			name: "an organisation without a name", change: map[string]string{"/api/v3/user/orgs": `[{}]`},
			check: unread(identity.ClaimGroups, identity.CauseShape),
		},
		{
			name: "teams are refused", change: map[string]string{"/api/v3/user/teams": "403"},
			check: unread(identity.ClaimGroups, identity.CauseRefused),
		},
		{name: "teams are down", change: map[string]string{"/api/v3/user/teams": "502"}, want: provider.ErrUnavailable},
		// oauth2-proxy#2261, vouch#563: an app without the permission.
		{
			name: "addresses are refused", change: map[string]string{"/api/v3/user/emails": "403"},
			check: func(c identity.Claims) bool {
				return unread(identity.ClaimEmail, identity.CauseRefused)(c) && c.User == "github:7"
			},
		},
		{
			name: "addresses are not there", change: map[string]string{"/api/v3/user/emails": "404"},
			check: unread(identity.ClaimEmail, identity.CauseRefused),
		},
		{
			name: "addresses are refused, as the user's name", change: map[string]string{"/api/v3/user/emails": "403"},
			edit: func(c *github.Config) { c.UserClaim = "email" }, want: provider.ErrWithheld,
		},
		{
			name: "no primary address", change: map[string]string{"/api/v3/user/emails": `[{"email":"a@example.com","verified":true}]`},
			check: unread(identity.ClaimEmail, identity.CauseShape),
		},
		{
			name: "no address", change: map[string]string{"/api/v3/user/emails": `[]`},
			check: func(c identity.Claims) bool { return c.Unread == nil && c.Email == "" },
		},
		{name: "bound by a MAC", change: map[string]string{"/login/oauth/access_token": "access_token=at&token_type=mac"}, want: provider.ErrResponse},
		{
			name: "two pages", change: map[string]string{"/api/v3/user/teams#1": manyTeams(100), "/api/v3/user/teams#2": manyTeams(3)},
			check: func(c identity.Claims) bool { return len(c.Groups) == 104 && c.Unread == nil },
		},
		{
			name: "read:org was not granted", change: map[string]string{"/login/oauth/access_token": "access_token=at&scope=user:email"},
			check: unread(identity.ClaimGroups, identity.CauseRefused),
		},
		{
			name: "user:email was not granted", change: map[string]string{"/login/oauth/access_token": "access_token=at&scope=read:org"},
			check: unread(identity.ClaimEmail, identity.CauseRefused),
		},
		{
			name: "read:org was not asked for", edit: func(c *github.Config) { c.Scopes = nil },
			check: func(c identity.Claims) bool { return c.Groups == nil },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, s, _ := newProvider(t, tt.change, tt.edit)
			got, err := p.Exchange(t.Context(), callback)
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Fatalf("Exchange() = %v, want %v", err, tt.want)
			}
			if tt.check != nil && !tt.check(got.Claims) {
				t.Errorf("Exchange() = %+v", got.Claims)
			}
			if s.tokens != 1 {
				t.Errorf("the code was sent %d times", s.tokens)
			}
		})
	}
}

func unread(claim string, cause identity.Cause) func(identity.Claims) bool {
	return func(c identity.Claims) bool {
		return c.Unread[claim] == cause && len(c.Unread) == 1 && (claim != identity.ClaimGroups || c.Groups == nil)
	}
}

// TestNeeds: a rule about groups or addresses has the scopes asked for without which
// it could not be judged.
func TestNeeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scopes []string
		needs  identity.Needs
		want   string
	}{
		{nil, identity.Needs{}, "read:user user:email"},
		{nil, identity.Needs{Groups: identity.Shown, Email: identity.Judged}, "read:user user:email"},
		{nil, identity.Needs{Groups: identity.Judged}, "read:user user:email read:org"},
		{[]string{"read:org"}, identity.Needs{Groups: identity.Judged}, "read:org"},
		{[]string{"read:org"}, identity.Needs{Email: identity.Judged}, "read:org user:email"},
		{[]string{"user"}, identity.Needs{Email: identity.Judged}, "user"},
	} {
		p, _, _ := newProvider(t, nil, func(c *github.Config) { c.Scopes = tt.scopes })
		p.SetNeeds(tt.needs)
		raw, err := p.AuthURL(t.Context(), provider.AuthRequest{State: "s", Verifier: callback.Verifier, RedirectURI: "https://app/cb", MaxAge: -1})
		if err != nil {
			t.Fatal(err)
		}
		if u, err := url.Parse(raw); err != nil || u.Query().Get("scope") != tt.want {
			t.Errorf("scopes %q, needs %+v: %s", tt.scopes, tt.needs, raw)
		}
	}
}

func TestIsGroup(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"acme": true, "acme/devs": true, "a.b/c_d": true, "Acme": false, "acme/Devs": false, "acme/a/b": false, "acme/": false, "/a": false, "": false, "a b": false,
	} {
		if got := github.IsGroup(s); got != want {
			t.Errorf("IsGroup(%q) = %t", s, got)
		}
	}
}

func manyTeams(n int) string {
	teams := make([]map[string]any, n)
	for i := range teams {
		teams[i] = map[string]any{"slug": fmt.Sprint("t", i), "organization": map[string]string{"login": "acme"}}
	}
	raw, _ := json.Marshal(teams)
	return string(raw)
}

func TestMixUp(t *testing.T) {
	t.Parallel()
	p, s, issuer := newProvider(t, nil, nil)
	for iss, ok := range map[string]bool{issuer: true, issuer + "/login/oauth": true, "https://evil.example": false} {
		c := callback
		c.Issuer = iss
		s.tokens = 0
		_, err := p.Exchange(t.Context(), c)
		if ok != (err == nil) || !ok && (!errors.Is(err, provider.ErrResponse) || s.tokens != 0) {
			t.Errorf("iss=%s: Exchange() = %v after %d token requests", iss, err, s.tokens)
		}
	}
}

func TestAuthURL(t *testing.T) {
	t.Parallel()
	p, _, _ := newProvider(t, nil, nil)
	raw, err := p.AuthURL(t.Context(), provider.AuthRequest{
		State: "s", Verifier: callback.Verifier, RedirectURI: "https://app/cb", LoginHint: "o", Prompt: "select_account", MaxAge: -1, Scopes: []string{"repo", "read:org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("scope") != "user:email read:org repo" || q.Get("code_challenge_method") != "S256" || q.Get("login") != "o" ||
		q.Get("prompt") != "select_account" || q.Get("state") != "s" || u.Path != "/login/oauth/authorize" {
		t.Errorf("AuthURL() = %s", raw)
	}
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	answer := `{"access_token":"at","refresh_token":"rt2","expires_in":28800,"refresh_token_expires_in":15811200,"scope":""}`
	p, _, issuer := newProvider(t, map[string]string{"/login/oauth/access_token": answer}, nil)
	was := identity.Claims{Provider: "github", Issuer: issuer, ID: "7", AuthTime: noon.Add(-time.Hour)}
	got, err := p.Recheck(t.Context(), "rt", was)
	if err != nil || !got.Claims.AuthTime.Equal(was.AuthTime) || got.Token.RefreshToken != "rt2" || !got.Token.ExpiresAt.Equal(noon.Add(8*time.Hour)) {
		t.Errorf("Recheck() = %+v, %v", got, err)
	}
	was.ID = "8"
	if got, err = p.Recheck(t.Context(), "rt", was); !errors.Is(err, provider.ErrGone) || got.Token == nil {
		t.Errorf("another user: %+v, %v, want ErrGone and the token", got, err)
	}
	if _, err := p.Refresh(t.Context(), "", nil); !errors.Is(err, provider.ErrGrant) {
		t.Errorf("without a refresh token: %v", err)
	}
}

// TestRecheck_Refused: that GitHub says less than at the sign-in gives nobody another
// name, and lets nobody past a rule.
func TestRecheck_Refused(t *testing.T) {
	t.Parallel()
	answer := `{"access_token":"at","refresh_token":"rt2","token_type":"bearer"}`
	p, _, issuer := newProvider(t, map[string]string{"/login/oauth/access_token": answer, "/api/v3/user/emails": "403", "/api/v3/user/teams": "403"}, nil)
	was := identity.Claims{
		Provider: "github", Issuer: issuer, ID: "7", User: "octo@example.com", Email: "octo@example.com", EmailVerified: true, Groups: []string{"acme"},
	}
	got, err := p.Recheck(t.Context(), "rt", was)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := p.CheckToken(t.Context(), provider.Token{AccessToken: "at"}, was)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]identity.Claims{"Recheck": got.Claims, "CheckToken": checked} {
		if c.User != was.User || c.Email != was.Email || !c.IsUnread(identity.ClaimEmail) || !c.IsUnread(identity.ClaimGroups) || c.Groups != nil {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

// TestRecheck_NoNameAnyMore: whoever could not sign in any more, since the address that
// is to be the name is gone or not verified, is out. Where GitHub will not say it, the
// name stays, and no rule relies on the address or is judged by groups of before.
func TestRecheck_NoNameAnyMore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		emails string
		want   error
	}{
		"none":         {emails: `[]`, want: provider.ErrGone},
		"not verified": {emails: `[{"email":"octo@example.com","primary":true,"verified":false}]`, want: provider.ErrGone},
		"refused":      {emails: "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := `{"access_token":"at","refresh_token":"rt2","token_type":"bearer"}`
			p, _, issuer := newProvider(t, map[string]string{"/login/oauth/access_token": answer, "/api/v3/user/emails": tt.emails},
				func(c *github.Config) { c.UserClaim = "email" })
			was := identity.Claims{
				Provider: "github", Issuer: issuer, ID: "7", User: "octo@example.com", Email: "octo@example.com", EmailVerified: true, Groups: []string{"old"},
			}
			got, err := p.Recheck(t.Context(), "rt", was)
			checked, err2 := p.CheckToken(t.Context(), provider.Token{AccessToken: "at"}, was)
			if !errors.Is(err, tt.want) || !errors.Is(err2, tt.want) || got.Token == nil {
				t.Fatalf("Recheck() = %v, CheckToken() = %v, want %v", err, err2, tt.want)
			}
			if tt.want != nil {
				return
			}
			for what, c := range map[string]identity.Claims{"Recheck": got.Claims, "CheckToken": checked} {
				if c.User != was.User || c.VerifiedEmail() != "" || slices.Contains(c.Groups, "old") || !slices.Contains(c.Groups, "acme") {
					t.Errorf("%s: %+v", what, c)
				}
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{"204": nil, "404": nil, "422": nil, "401": provider.ErrResponse, "302": provider.ErrResponse, "500": provider.ErrUnavailable} {
		p, _, _ := newProvider(t, map[string]string{"/api/v3/applications/id/token": answer}, nil)
		if err := p.Revoke(t.Context(), "at", "access_token"); !errors.Is(err, want) {
			t.Errorf("%s: Revoke() = %v, want %v", answer, err, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	p, err := github.New(github.Config{Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now})
	if err != nil || p.Issuer() != "https://github.com" || p.Title() != "GitHub" {
		t.Errorf("New() = %v, %v", p, err)
	}
	for name, c := range map[string]github.Config{
		"no secret":  {Name: "github", ClientID: "a", Now: time.Now},
		"plain http": {Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now, BaseURL: "http://github.example"},
		"user claim": {Name: "github", ClientID: "a", ClientSecret: "b", Now: time.Now, UserClaim: "name"},
	} {
		if _, err := github.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCheck: GitHub tells an app's secret from a wrong one about any token.
func TestCheck(t *testing.T) {
	for status, want := range map[int]error{404: nil, 422: nil, 200: nil, 401: provider.ErrMisconfigured, 503: provider.ErrUnavailable} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id, secret, _ := r.BasicAuth(); r.URL.Path != "/api/v3/applications/client/token" || id != "client" || secret != "s3cr3t" {
				t.Errorf("asked %s as %s", r.URL, id)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"message":"Not Found","status":"404"}`))
		}))
		p, err := github.New(github.Config{Name: "github", ClientID: "client", ClientSecret: "s3cr3t", BaseURL: server.URL, Now: time.Now, Scopes: []string{"read:user", "email"}})
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := p.Check(t.Context(), nil)
		if len(warnings) != 1 || !strings.Contains(warnings[0], "write user:email") {
			t.Errorf("it warns %q", warnings)
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%d: %v", status, err)
		}
		_ = p.Close()
		server.Close()
	}
}

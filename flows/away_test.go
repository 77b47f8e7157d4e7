package flows_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// pilots is a service that acts for people who are away.
type pilots struct {
	hubbed
	id     string
	key    *holder
	mu     *sync.Mutex
	events *[]map[string]any
}

// rule is a policy of the tests.
type rule func(*identity.Identity) bool

func (f rule) Allows(id *identity.Identity) bool { return f == nil || f(id) }

// newPilots is a world with a service of this policies: whom it may act for at all, and
// who need not be asked.
func newPilots(t *testing.T, may, unasked rule) pilots {
	t.Helper()
	key := newHolder(t, time.Now)
	keys := map[string]clientjwt.Key{"k1": {Public: key.key.Public()}}
	service := &client.Client{ID: "pilots", Title: "Pilot factory", Keys: keys, MayActFor: []string{"github"}}
	if may != nil {
		service.Policy = may
	}
	if unasked != nil {
		service.ActPolicy = unasked
	}
	other := &client.Client{ID: "other", Keys: keys, MayExchange: []string{"github"}}
	w := newHubbed(t, true, append(exchangers(), service, other)...)
	p := pilots{w, "pilots", key, new(sync.Mutex), new([]map[string]any)}
	config := w.gateway.Config
	config.Events = func(_ context.Context, name string, attrs ...slog.Attr) {
		p.mu.Lock()
		defer p.mu.Unlock()
		event := map[string]any{"name": name}
		for _, a := range attrs {
			event[a.Key] = a.Value.Any()
		}
		*p.events = append(*p.events, event)
	}
	var err error
	if w.world.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	return p
}

// asks for the token of somebody; change may spoil the request.
func (p pilots) asks(subject string, change ...func(url.Values)) answer {
	p.t.Helper()
	now := p.clock.now()
	claims := jwt.MapClaims{"iss": p.id, "sub": p.id, "aud": p.portalURL(), "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	made := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	made.Header["kid"] = "k1"
	signed, err := made.SignedString(p.key.key)
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {client.GrantTokenExchange}, "subject_token": {subject}, "subject_token_type": {client.TypeSubject}, "audience": {"github"},
		"client_assertion": {signed}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	for _, f := range change {
		f(form)
	}
	return app{p.t, p.world, p.id, ""}.send(form)
}

// says presses a button of the person's own page.
func (p pilots) says(b *browser, button, want string) {
	p.t.Helper()
	b.get(p.portalURL()+"/").want(http.StatusOK, "While you are away").want(http.StatusOK, "Pilot factory")
	b.submit(url.Values{button: {"pilots " + p.hub.url}}).want(http.StatusOK, want)
}

func (p pilots) refuses(what string, got answer, code string) {
	p.t.Helper()
	if got.status != http.StatusBadRequest || got.text("error") != code || got.body["access_token"] != nil {
		p.t.Errorf("%s: %d %v, want %s", what, got.status, got.body, code)
	}
}

func TestAway_WithThePersonsPermission(t *testing.T) {
	p := newPilots(t, nil, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.refuses("before anybody allowed it", p.asks(ann), "interaction_required")
	b.get(p.portalURL()+"/").want(http.StatusOK, "Not allowed").want(http.StatusOK, "Never used")
	p.says(b, "allow", "Allowed by you")
	got := p.asks(ann)
	if got.status != http.StatusOK || got.text("access_token") != "gho_1" || got.text("issued_token_type") != client.TypeAccessToken || got.body["refresh_token"] != nil {
		t.Fatalf("answered %d %v", got.status, got.body)
	}
	b.get(p.portalURL()+"/").want(http.StatusOK, "Last used")
	p.mu.Lock()
	last := maps.Clone((*p.events)[len(*p.events)-1])
	p.mu.Unlock()
	act, _ := last["act"].(map[string]string)
	if last["name"] != "provider_token_delivered" || act["sub"] != "pilots" || last["subject"] != ann || last["away"] != true || last["provider"] != "github" {
		t.Errorf("the event is %v", last)
	}
	if strings.Contains(p.logs.String(), "gho_1") {
		t.Error("the log has the token")
	}
	// Nobody is there: every session has ended, and the person is who they were.
	if err := p.gateway.EndSubject(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("without a session: %d %v", got.status, got.body)
	}
	b = newBrowser(t)
	p.opens(b, 2)
	p.says(b, "forbid", "Not allowed")
	p.refuses("forbidden", p.asks(ann), "interaction_required")
	p.says(b, "allow", "Allowed by you")
	if got := p.asks(ann); got.status != http.StatusOK || got.text("access_token") != "gho_2" {
		t.Errorf("allowed again: %d %v", got.status, got.body)
	}
	// Suspended, and resumed.
	if err := p.store.Suspend(t.Context(), ann, true); err != nil {
		t.Fatal(err)
	}
	p.refuses("suspended", p.asks(ann), "interaction_required")
	if err := p.store.Suspend(t.Context(), ann, false); err != nil {
		t.Fatal(err)
	}
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("resumed: %d %v", got.status, got.body)
	}
}

// One answer for whoever has not allowed it, so that a service learns of nobody else.
func TestAway_OneAnswerForEverybodyElse(t *testing.T) {
	p := newPilots(t, nil, nil)
	p.opens(newBrowser(t), 1)
	nobody := p.asks("nobody")
	strip := func(a answer) string { s, _, _ := strings.Cut(a.text("error_description"), " ("); return s }
	for name, subject := range map[string]string{
		"who has not allowed it": p.subject(), "NUL": "\x00", "not UTF-8": "\xff", "of any length": strings.Repeat("x", 5000), "an access token": "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl",
	} {
		got := p.asks(subject)
		if name != "who has not allowed it" && strings.Contains(p.logs.String(), subject) {
			t.Errorf("%s: the log has the subject token", name)
		}
		if p.refuses(name, got, "interaction_required"); strip(got) != strip(nobody) {
			t.Errorf("%s: %q, of nobody %q", name, got.text("error_description"), nobody.text("error_description"))
		}
	}
}

// An administrator's policy allows it, which the person sees and can forbid.
func TestAway_ByPolicy(t *testing.T) {
	var barred sync.Map
	p := newPilots(t,
		func(id *identity.Identity) bool { _, is := barred.Load(id.ID); return !is },
		func(id *identity.Identity) bool { return id.ClientID == "pilots" && id.ID == "7" })
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	b.get(p.portalURL()+"/").want(http.StatusOK, "Allowed by the administrator").want(http.StatusOK, "Never used")
	if got := p.asks(ann); got.status != http.StatusOK || got.text("access_token") != "gho_1" {
		t.Fatalf("by policy: %d %v", got.status, got.body)
	}
	b.get(p.portalURL()+"/").want(http.StatusOK, "Allowed by the administrator").want(http.StatusOK, "Last used")
	p.says(b, "forbid", "Not allowed")
	p.refuses("forbidden", p.asks(ann), "interaction_required")
	p.says(b, "allow", "Allowed by you")
	barred.Store("7", true)
	p.refuses("of whom the client's own policy refuses", p.asks(ann), "interaction_required")
	barred.Delete("7")
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("allowed: %d %v", got.status, got.body)
	}
	// A policy judges whom it knows: who is signed in.
	if err := p.store.DeleteDelegations(t.Context(), ann, p.hub.url); err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.EndSubject(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	p.refuses("by policy, of whom nothing is known now", p.asks(ann), "interaction_required")
}

// What an account was allowed for ends with its link; and a permission that does not
// open, or was moved from another person's row, allows nothing.
func TestAway_PermissionsThatCountForNothing(t *testing.T) {
	p := newPilots(t, nil, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "allow", "Allowed by you")
	row, err := p.store.Delegation(t.Context(), ann, "pilots", p.hub.url)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.EndSubject(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	for name, claims := range map[string][]byte{"nothing": nil, "damaged": append([]byte{1}, row.Claims[1:]...), "another's": p.gateway.Config.Keyring.Seal("delegation", []byte("elsewhere"), []byte(`{}`))} {
		spoilt := row
		spoilt.Claims = claims
		if err := p.store.SetDelegation(t.Context(), spoilt); err != nil {
			t.Fatal(err)
		}
		p.refuses(name, p.asks(ann), "interaction_required")
	}
	if err := p.store.SetDelegation(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Fatalf("%d %v", got.status, got.body)
	}
	if err := p.store.Link(t.Context(), ann, tokenstore.Identity{Issuer: "https://other.test", Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.Unlink(t.Context(), ann, tokenstore.Identity{Issuer: p.hub.url, Subject: "7"}); err != nil {
		t.Fatal(err)
	}
	p.refuses("unlinked", p.asks(ann), "interaction_required")
	if rows, err := p.store.Delegations(t.Context(), ann); err != nil || len(rows) > 0 {
		t.Errorf("left are %v, %v", rows, err)
	}
}

// A policy may judge another session than the one that looks at the page: the page says
// what a service gets, and what a policy may allow can be forbidden before it does.
func TestAway_ThePageSaysWhatIsDelivered(t *testing.T) {
	var allowed sync.Map // by session
	p := newPilots(t, nil, func(id *identity.Identity) bool {
		_, one := allowed.Load(id.SessionID)
		_, all := allowed.Load("all")
		return one || all
	})
	older, b := newBrowser(t), newBrowser(t)
	p.opens(older, 1)
	ann := p.subject()
	sessions, err := p.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: ann, Limit: 10})
	if err != nil || len(sessions) == 0 {
		t.Fatal(sessions, err)
	}
	p.opens(b, 2)
	has := func(want ...string) {
		t.Helper()
		b.get(p.portalURL() + "/")
		for _, name := range []string{"allow", "forbid"} {
			if is := strings.Contains(b.body, `name="`+name+`"`); is != slices.Contains(want, name) {
				t.Errorf("the button %s: %t, of %v", name, is, want)
			}
		}
	}
	p.refuses("allowed to no session", p.asks(ann), "interaction_required")
	has("allow", "forbid")
	b.get(p.portalURL()+"/").want(http.StatusOK, "Not allowed now")

	for _, s := range sessions {
		allowed.Store(s.ID, true)
	}
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("allowed to the older session: %d %v", got.status, got.body)
	}
	b.get(p.portalURL()+"/").want(http.StatusOK, "Allowed by the administrator").want(http.StatusOK, "Last used")
	has("forbid")
	for _, s := range sessions {
		allowed.Delete(s.ID)
	}
	p.says(b, "forbid", "Not allowed")
	has("allow")
	allowed.Store("all", true)
	p.refuses("forbidden before the policy allowed it", p.asks(ann), "interaction_required")
	has("allow")
}

// What a person has forbidden outlives the link to the account: a policy that asks nobody
// does not allow it again when an account is linked anew.
func TestAway_ForbiddenOutlivesTheLink(t *testing.T) {
	p := newPilots(t, nil, func(*identity.Identity) bool { return true })
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "forbid", "Not allowed")
	if err := p.store.Link(t.Context(), ann, tokenstore.Identity{Issuer: "https://other.test", Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	account := tokenstore.Identity{Issuer: p.hub.url, Subject: "7"}
	if err := p.gateway.Unlink(t.Context(), ann, account); err != nil {
		t.Fatal(err)
	}
	if err := p.store.Link(t.Context(), ann, account); err != nil {
		t.Fatal(err)
	}
	b = newBrowser(t)
	p.opens(b, 2)
	p.refuses("forbidden before the account was linked again", p.asks(ann), "interaction_required")
	b.get(p.portalURL()+"/").want(http.StatusOK, "Not allowed")
	p.says(b, "allow", "Allowed by you")
	if got := p.asks(ann); got.status != http.StatusOK {
		t.Errorf("allowed again: %d %v", got.status, got.body)
	}
}

func TestAway_BadRequests(t *testing.T) {
	p := newPilots(t, nil, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann := p.subject()
	p.says(b, "allow", "Allowed by you")
	own := p.accessTokenOf(b, app{t, p.world, "batch", batchSecret}, "https://batch.test/cb", "openid", nil)
	set := func(name string, values ...string) func(url.Values) { return func(f url.Values) { f[name] = values } }
	for name, tt := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"no subject":           {set("subject_token", ""), "invalid_request"},
		"two subjects":         {set("subject_token", ann, ann), "invalid_request"},
		"no type":              {set("subject_token_type", ""), "invalid_request"},
		"a person's own token": {func(f url.Values) { f.Set("subject_token", own); f.Set("subject_token_type", client.TypeAccessToken) }, "unauthorized_client"},
		"a chain of actors":    {func(f url.Values) { f.Set("actor_token", own); f.Set("actor_token_type", client.TypeAccessToken) }, "invalid_request"},
		"another provider":     {set("audience", "gitlab"), "invalid_target"},
		"more scope":           {set("scope", "repo admin:org"), "invalid_scope"},
		"a refresh token":      {set("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
	} {
		p.refuses(name, p.asks(ann, tt.change), tt.want)
	}
	other := p
	other.id = "other"
	p.refuses("a client that may act for nobody", other.asks(ann), "unauthorized_client")
	if got := p.asks(ann, set("client_assertion", "a.b.c")); got.status != http.StatusUnauthorized {
		t.Errorf("without a proof: %d %v", got.status, got.body)
	}
	// Nobody can say anything for somebody else, or of a client that was not offered.
	for _, named := range []string{"batch " + p.hub.url, "pilots https://elsewhere.test", "nobody x", "x", "\x00 \xff"} {
		for _, button := range []string{"allow", "forbid"} {
			b.get(p.portalURL() + "/").submit(url.Values{button: {named}})
			if b.last.StatusCode != http.StatusOK || !strings.Contains(b.body, "not one of yours") {
				t.Errorf("%s %q: %d %s", button, named, b.last.StatusCode, b.body)
			}
		}
	}
}

// An access token that names an actor is not the person's own: none of ours does, and
// one of a later version must not be taken for it (RFC 8693, section 4.1).
func TestRFC8693_ActChains(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	batch := app{t, w.world, "batch", batchSecret}
	b := newBrowser(t)
	w.opens(b, 1)
	own := w.accessTokenOf(b, batch, "https://batch.test/cb", "openid", nil)
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(own, claims); err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]any{"an actor": map[string]any{"sub": "x"}, "a chain": map[string]any{"sub": "x", "act": map[string]any{"sub": "y"}}, "nonsense": 1, "nothing": nil} {
		chained := maps.Clone(claims)
		chained["act"] = act
		signed, err := w.keys.Sign(token.TypeAccess, token.ES256, chained)
		if err != nil {
			t.Fatal(err)
		}
		got := batch.send(exchange(signed))
		if got.status != http.StatusBadRequest || got.text("error") != "invalid_request" || !strings.Contains(got.text("error_description"), "act") {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}
}

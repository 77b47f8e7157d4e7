package registration_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
)

var now = time.Unix(1_790_000_000, 0)

func body(uris ...string) string {
	return `{"redirect_uris":["` + strings.Join(uris, `","`) + `"]}`
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"web":                       {body("https://agent.example/cb"), nil},
		"loopback":                  {body("http://127.0.0.1:1/cb", "http://[::1]/cb", "http://localhost:8080/cb"), nil},
		"an app's scheme":           {body("com.example.app:/cb", "cursor://anysphere.cursor-mcp/oauth/callback", "vscode://vscode.github-authentication/did-authenticate"), nil},
		"only the code":             {`{"redirect_uris":["https://a.example/"],"grant_types":["authorization_code"],"response_types":["code"]}`, nil},
		"a secret that it gets not": {`{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"client_secret_basic"}`, nil},
		"what nobody knows":         {`{"redirect_uris":["https://a.example/"],"x":{"y":[1]},"client_uri":"javascript:alert(1)"}`, nil},

		"nothing":             {`{}`, registration.ErrRedirectURI},
		"no JSON":             {`redirect_uris=https://a.example/`, registration.ErrMetadata},
		"a list":              {`[]`, registration.ErrMetadata},
		"null":                {`null`, registration.ErrRedirectURI},
		"a string of URIs":    {`{"redirect_uris":"https://a.example/"}`, registration.ErrMetadata},
		"a number":            {`{"redirect_uris":[1]}`, registration.ErrMetadata},
		"none":                {`{"redirect_uris":[]}`, registration.ErrRedirectURI},
		"an empty one":        {body(""), registration.ErrRedirectURI},
		"relative":            {body("/cb"), registration.ErrRedirectURI},
		"plain http":          {body("http://agent.example/cb"), registration.ErrRedirectURI},
		"a name of loopback":  {body("http://localhost.evil.example/cb"), registration.ErrRedirectURI},
		"a fragment":          {body("https://a.example/#x"), registration.ErrRedirectURI},
		"an empty fragment":   {body("https://a.example/#"), registration.ErrRedirectURI},
		"a wildcard":          {body("https://*.example/cb"), registration.ErrRedirectURI},
		"a wildcard path":     {body("https://a.example/*"), registration.ErrRedirectURI},
		"a user":              {body("https://agent.example@evil.example/"), registration.ErrRedirectURI},
		"a backslash":         {body(`https://a.example\\@evil.example/`), registration.ErrRedirectURI},
		"a space":             {body("https://a.example/ x"), registration.ErrRedirectURI},
		"a control character": {body(`https://a.example/\u0000`), registration.ErrRedirectURI},
		"a look-alike":        {body("https://\u0430pple.example/"), registration.ErrRedirectURI},
		"no host":             {body("https:///cb"), registration.ErrRedirectURI},
		"an empty port":       {body("http://localhost:/cb"), registration.ErrRedirectURI},
		"a dot segment":       {body("https://app.example/x/../.gatehouse/callback"), registration.ErrRedirectURI},
		"an encoded segment":  {body("https://app.example/x/%2e%2E/.gatehouse/callback"), registration.ErrRedirectURI},
		"a script":            {body("javascript:alert(1)"), registration.ErrRedirectURI},
		"a script, upper":     {body("JavaScript:alert(1)"), registration.ErrRedirectURI},
		"data":                {body("data:text/html,x"), registration.ErrRedirectURI},
		"a tool of Windows":   {body("ms-msdt:/id"), registration.ErrRedirectURI},
		"a call":              {body("tel:+123"), registration.ErrRedirectURI},
		"one of two":          {body("https://a.example/", "http://b.example/"), registration.ErrRedirectURI},
		"too many":            {body(strings.Split(strings.Repeat("https://a.example/ ", 17), " ")[:17]...), registration.ErrRedirectURI},
		"too long":            {body("https://a.example/" + strings.Repeat("x", 512)), registration.ErrRedirectURI},
		"web on loopback":     {`{"redirect_uris":["http://localhost/"],"application_type":"web"}`, registration.ErrRedirectURI},
		"another type":        {`{"redirect_uris":["https://a.example/"],"application_type":"agent"}`, registration.ErrMetadata},
		"implicit":            {`{"redirect_uris":["https://a.example/"],"grant_types":["implicit"]}`, registration.ErrMetadata},
		"the device grant":    {`{"redirect_uris":["https://a.example/"],"grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}`, registration.ErrMetadata},
		"for itself":          {`{"redirect_uris":["https://a.example/"],"grant_types":["client_credentials"]}`, registration.ErrMetadata},
		"a token":             {`{"redirect_uris":["https://a.example/"],"response_types":["token"]}`, registration.ErrMetadata},
		"a key":               {`{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt"}`, registration.ErrMetadata},
		"too large":           {`{"redirect_uris":["https://a.example/"],"x":"` + strings.Repeat("x", registration.MaxBody) + `"}`, registration.ErrMetadata},
	} {
		got, err := registration.Parse([]byte(c.body), now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if (got == nil) != (c.want != nil) {
			t.Errorf("%s: registered is %v", name, got)
		}
	}
}

// A name must not be able to change what the page around it says (CVE-2021-42574 and its
// like), or fill it.
func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"Agent":                              "Agent",
		"  a\tb\r\nc ":                       "a b c",
		"\u202eelgooG\u202c":                 "elgooG",
		"\u2066x\u2069\u200f\u200e\u061c":    "x",
		"zero\u200bwidth\ufeff":              "zerowidth",
		"tag\U000e0041":                      "tag",
		"bell\x07\x1b[31m":                   "bell[31m",
		"\xff\xfebroken":                     "broken",
		"Ünïcödé 株式会社":                       "Ünïcödé 株式会社",
		"<script>":                           "<script>", // html/template's care
		"":                                   "",
		strings.Repeat("x", 10_000):          strings.Repeat("x", 59) + "…",
		strings.Repeat("\u202e", 1000) + "x": "",
	} {
		if got := registration.CleanName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

func ring(t testing.TB, secrets ...string) *keyring.Keyring {
	t.Helper()
	var all [][]byte
	for _, s := range secrets {
		all = append(all, []byte(s))
	}
	k, err := keyring.New(rand.Reader, all...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	oldSecret = "a secret of before, which is long"
	newSecret = "a secret of now, which is as long"
)

func TestSeal(t *testing.T) {
	with := ring(t, oldSecret)
	r, err := registration.Parse([]byte(`{"client_name":"Agent","redirect_uris":["https://b.example/","https://a.example/"],"grant_types":["authorization_code","refresh_token"]}`), now)
	if err != nil {
		t.Fatal(err)
	}
	id, err := registration.Seal(with, "https://auth.example.com", r)
	if err != nil {
		t.Fatal(err)
	}
	got := registration.Open(with, "https://auth.example.com", id, now)
	if got == nil || got.Name != "Agent" || strings.Join(got.RedirectURIs, " ") != "https://a.example/ https://b.example/" || !got.Refresh {
		t.Fatalf("opened is %v", got)
	}
	if registration.Open(ring(t, newSecret, oldSecret), "https://auth.example.com", id, now) == nil {
		t.Error("an id of before the secret changed is not taken")
	}
	for name, open := range map[string]func() *registration.Registration{
		"another issuer": func() *registration.Registration {
			return registration.Open(with, "https://other.example.com", id, now)
		},
		"another secret": func() *registration.Registration {
			return registration.Open(ring(t, newSecret), "https://auth.example.com", id, now)
		},
		"a year later": func() *registration.Registration {
			return registration.Open(with, "https://auth.example.com", id, now.Add(registration.Lifetime+time.Second))
		},
		"changed": func() *registration.Registration {
			return registration.Open(with, "https://auth.example.com", id[:len(id)-4]+"AAAA", now)
		},
		"cut": func() *registration.Registration {
			return registration.Open(with, "https://auth.example.com", id[:40], now)
		},
		"upper case": func() *registration.Registration {
			return registration.Open(with, "https://auth.example.com", strings.ToUpper(id), now)
		},
		"too long": func() *registration.Registration {
			return registration.Open(with, "https://auth.example.com", id+strings.Repeat("A", registration.MaxID), now)
		},
	} {
		if open() != nil {
			t.Errorf("%s: it opens", name)
		}
	}
	long := "https://a.example/" + strings.Repeat("x", 400)
	if r, err = registration.Parse([]byte(body(long+"1", long+"2")), now); err != nil {
		t.Fatal(err)
	}
	if _, err := registration.Seal(with, "https://auth.example.com", r); !errors.Is(err, registration.ErrMetadata) {
		t.Errorf("a registration that fits in no id: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(body("https://a.example/")))
	f.Add([]byte(`{"client_name":"\u202e","redirect_uris":["cursor://x"],"grant_types":["authorization_code"]}`))
	f.Add([]byte(`{"redirect_uris":null,"grant_types":{}}`))
	with := ring(f, oldSecret)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := registration.Parse(raw, now)
		if err != nil {
			if !errors.Is(err, registration.ErrMetadata) && !errors.Is(err, registration.ErrRedirectURI) {
				t.Fatalf("an error that no client is told: %v", err)
			}
			return
		}
		for _, uri := range r.RedirectURIs {
			if strings.ContainsAny(uri, "#* \\\n") || strings.HasPrefix(strings.ToLower(uri), "javascript:") {
				t.Fatalf("registered is %q", uri)
			}
		}
		id, err := registration.Seal(with, "https://auth.example.com", r)
		if err == nil && (len(id) > registration.MaxID || registration.Open(with, "https://auth.example.com", id, now) == nil) {
			t.Fatalf("the id %q does not open", id)
		}
	})
}

func FuzzOpen(f *testing.F) {
	with := ring(f, oldSecret)
	id, err := registration.Seal(with, "https://auth.example.com", &registration.Registration{RedirectURIs: []string{"https://a.example/"}, IssuedAt: now.Unix()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(id)
	f.Add("gtc_")
	f.Add("https://agent.example/client.json")
	f.Fuzz(func(t *testing.T, raw string) {
		// Each process of a fuzzing run seals an id of its own, of the same contents.
		r := registration.Open(with, "https://auth.example.com", raw, now)
		if r != nil && (!slices.Equal(r.RedirectURIs, []string{"https://a.example/"}) || r.IssuedAt != now.Unix()) {
			t.Fatalf("%q opens as %v", raw, r)
		}
	})
}

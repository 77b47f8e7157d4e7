package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

const (
	metadataMaxAge = 24 * time.Hour
	// keysMaxAge also bounds how long a key that the provider withdrew goes
	// on to verify.
	keysMaxAge = time.Hour
)

// Provider is an OpenID provider. It holds no state of a single sign-in.
type Provider struct {
	config   Config
	client   *http.Client
	life     *lifetime
	metadata *cached[*metadata]
	keys     *cached[[]publicKey]
	needs    identity.Needs
	noGroups sync.Once
}

// New checks the configuration. Nothing is fetched.
func New(c Config) (*Provider, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	p := &Provider{config: c, client: outbound.NewClient(c.outbound()), life: newLifetime()}
	p.metadata = &cached[*metadata]{
		fetch: p.fetchMetadata, failed: p.logFetch("metadata"), now: c.Now, maxAge: metadataMaxAge, life: p.life,
	}
	p.keys = &cached[[]publicKey]{
		fetch: p.fetchKeys, failed: p.logFetch("keys"), now: c.Now, maxAge: keysMaxAge, life: p.life,
	}
	return p, nil
}

// Close ends what runs in the background.
func (p *Provider) Close() error {
	p.life.end()
	if p.config.HTTPClient == nil {
		p.client.CloseIdleConnections()
	}
	return nil
}

func (p *Provider) logFetch(what string) func(context.Context, error) {
	return func(ctx context.Context, err error) {
		p.config.Logger.WarnContext(ctx, "fetching from a provider failed", slog.String("provider", p.config.Name),
			slog.String("what", what), slog.Any("error", err))
	}
}

// String is the provider's name: its configuration holds the secret.
func (p *Provider) String() string { return p.config.String() }

// GoString is String, for %#v.
func (p *Provider) GoString() string { return p.config.String() }

// Name of the provider block.
func (p *Provider) Name() string { return p.config.Name }

// Title shown to people.
func (p *Provider) Title() string { return p.config.Title }

// ClientID is ours at the provider.
func (p *Provider) ClientID() string { return p.config.ClientID }

// Scopes are the most that is asked for at a sign-in.
func (p *Provider) Scopes() []string {
	if scope := p.config.GroupsScope; scope != "" && p.asksForGroups() {
		return joinScopes(p.config.Scopes, []string{scope})
	}
	return slices.Clone(p.config.Scopes)
}

// Issuer of the provider's identities.
func (p *Provider) Issuer() string { return p.config.identityIssuer() }

// AuthURL is the authorization request as a URL (OpenID Connect Core, section
// 3.1.2.1; RFC 7636), or the reference to one that was pushed (RFC 9126).
// ErrUnavailable.
func (p *Provider) AuthURL(ctx context.Context, r provider.AuthRequest) (string, error) {
	if r.State == "" || r.Nonce == "" || r.Verifier == "" || r.RedirectURI == "" {
		return "", errors.New("an authorization request needs state, nonce, verifier and redirect URI")
	}
	if p.config.Plain && (r.Prompt == "login" || r.MaxAge >= 0) {
		return "", fmt.Errorf("provider %s: %w", p.config.Name, provider.ErrReauthentication)
	}
	m, err := p.metadata.get(ctx)
	if err != nil {
		return "", p.unavailable("signing in", err)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(r.Verifier)}
	set := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name, value := range p.config.AuthParams {
		set(name, value)
	}
	set("hd", p.config.HostedDomain)
	set("nonce", r.Nonce)
	set("prompt", cmp.Or(r.Prompt, p.config.Prompt))
	set("login_hint", r.LoginHint)
	set("acr_values", cmp.Or(r.ACRValues, p.config.ACRValues))
	if p.config.FormPost {
		set("response_mode", "form_post")
	}
	if r.MaxAge >= 0 {
		set("max_age", strconv.FormatInt(int64(r.MaxAge/time.Second), 10))
	}
	c := credentials{}.oauth2Config(p.config.ClientID, m)
	c.RedirectURL = r.RedirectURI
	c.Scopes = joinScopes(p.scopes(m), r.Scopes)
	request := c.AuthCodeURL(r.State, options...)
	if p.pushes(m) {
		return p.push(ctx, m, request)
	}
	return request, nil
}

// pushes reports whether authorization requests are pushed (RFC 9126).
func (p *Provider) pushes(m *metadata) bool {
	return p.config.PAR || m.RequiresPAR && m.PARURL != ""
}

// PostsAnswers reports whether the answer comes by POST.
func (p *Provider) PostsAnswers() bool { return p.config.FormPost }

// TakesPrompt reports whether the provider takes a value of prompt, as far as its
// metadata say.
func (p *Provider) TakesPrompt(ctx context.Context, prompt string) bool {
	if p.config.Plain {
		return false // OAuth 2.0 knows no prompt
	}
	m, err := p.metadata.get(ctx)
	return err != nil || len(m.Prompts) == 0 || slices.Contains(m.Prompts, prompt)
}

var errSlow = errors.New("it did not answer in time")

// unavailable says which provider failed at what. A caller that gave up
// waiting is told so as well.
func (p *Provider) unavailable(doing string, err error) error {
	switch {
	case outbound.IsUntrusted(err):
		err = fmt.Errorf("%w: %w; if it comes from your own authority, name that authority in tls_trust_pool", provider.ErrMisconfigured, err)
	case outbound.IsPlainHTTP(err):
		err = fmt.Errorf("%w: %w; it speaks plain http at this address: write its https address, or, in a network that is yours alone, http and insecure_http", provider.ErrMisconfigured, err)
	}
	if outbound.IsTimeout(err) && !errors.Is(err, errSlow) {
		err = fmt.Errorf("%w: %w", errSlow, err)
	}
	if !errors.Is(err, provider.ErrUnavailable) {
		return fmt.Errorf("%s at provider %s: %w: %w", doing, p.config.Name, provider.ErrUnavailable, err)
	}
	return fmt.Errorf("%s at provider %s: %w", doing, p.config.Name, err)
}

var (
	_ provider.Redirect     = (*Provider)(nil)
	_ provider.Prompter     = (*Provider)(nil)
	_ provider.FormPoster   = (*Provider)(nil)
	_ provider.EndSessioner = (*Provider)(nil)
	_ provider.Checker      = (*Provider)(nil)
	_ provider.Refresher    = (*Provider)(nil)
	_ provider.Rechecker    = (*Provider)(nil)
	_ provider.NeedsClaims  = (*Provider)(nil)
	_ provider.Scoper       = (*Provider)(nil)
	_ provider.Current      = (*Provider)(nil)

	_ provider.ServiceProvider = (*Provider)(nil)
)

package github

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Provider is GitHub. It holds no state of a single sign-in.
type Provider struct {
	config Config
	client *http.Client
}

// New checks the configuration. Nothing is fetched.
func New(c Config) (*Provider, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	return &Provider{config: c, client: outbound.NewClient(outbound.Options{Client: c.HTTPClient, RootCAs: c.RootCAs})}, nil
}

// Close ends idle connections.
func (p *Provider) Close() error {
	if p.config.HTTPClient == nil {
		p.client.CloseIdleConnections()
	}
	return nil
}

// SetNeeds asks for the scopes without which rules about groups and addresses could
// not be judged. It must be called before the provider is first used.
func (p *Provider) SetNeeds(n identity.Needs) {
	asked := func(scopes ...string) bool {
		return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(p.config.Scopes, s) })
	}
	if n.Groups == identity.Judged && !asked(scopeOrgs) {
		p.config.Scopes = append(p.config.Scopes, scopeOrgs)
	}
	if n.Email == identity.Judged && !asked(scopeEmail, "user") {
		p.config.Scopes = append(p.config.Scopes, scopeEmail)
	}
}

// Scopes are what is asked for at every sign-in.
func (p *Provider) Scopes() []string { return slices.Clone(p.config.Scopes) }

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

// Issuer is the URL where people sign in.
func (p *Provider) Issuer() string { return p.config.BaseURL }

// AuthURL is the authorization request as a URL. Of OpenID Connect's parameters
// GitHub knows login_hint, under the name login, and prompt=select_account. Who
// signed in there before comes back without a question, and nobody is told when
// that was: [provider.ErrReauthentication].
func (p *Provider) AuthURL(_ context.Context, r provider.AuthRequest) (string, error) {
	if r.State == "" || r.Verifier == "" || r.RedirectURI == "" {
		return "", errors.New("an authorization request needs state, verifier and redirect URI")
	}
	if r.Prompt == "login" || r.MaxAge >= 0 {
		return "", fmt.Errorf("provider %s: %w", p.config.Name, provider.ErrReauthentication)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(r.Verifier)}
	if r.LoginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login", r.LoginHint))
	}
	if r.Prompt == "select_account" {
		options = append(options, oauth2.SetAuthURLParam("prompt", r.Prompt))
	}
	c := p.oauth2Config()
	c.RedirectURL = r.RedirectURI
	for _, s := range r.Scopes {
		if !slices.Contains(c.Scopes, s) {
			c.Scopes = append(c.Scopes, s)
		}
	}
	return c.AuthCodeURL(r.State, options...), nil
}

func (p *Provider) oauth2Config() oauth2.Config {
	return oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Scopes: slices.Clone(p.config.Scopes),
		Endpoint: oauth2.Endpoint{
			AuthURL:   p.config.BaseURL + "/login/oauth/authorize",
			TokenURL:  p.config.BaseURL + "/login/oauth/access_token",
			AuthStyle: oauth2.AuthStyleInParams, // as GitHub documents it
		},
	}
}

// Exchange redeems the code, once, and asks the API who it is.
func (p *Provider) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	if c.Code == "" || c.Verifier == "" {
		return provider.Result{}, p.refuse(errors.New("code or verifier is missing"))
	}
	if err := p.checkResponseIssuer(c.Issuer); err != nil {
		return provider.Result{}, p.refuse(err)
	}
	config := p.oauth2Config()
	config.RedirectURL = c.RedirectURI
	answer, err := config.Exchange(p.withClient(ctx), c.Code, oauth2.VerifierOption(c.Verifier))
	if err != nil {
		return provider.Result{}, p.grantFailed("redeeming a code", err)
	}
	token, err := p.token(answer)
	if err != nil {
		return provider.Result{}, p.refuse(err)
	}
	claims, err := p.identify(ctx, token)
	if err != nil {
		return provider.Result{}, err
	}
	return provider.Result{Claims: claims, Token: &token}, nil
}

// checkResponseIssuer refuses an answer of somebody else (RFC 9207). GitHub does
// not promise the parameter.
func (p *Provider) checkResponseIssuer(iss string) error {
	for _, ours := range []string{"", p.config.BaseURL, p.config.BaseURL + "/login/oauth"} {
		if subtle.ConstantTimeCompare([]byte(iss), []byte(ours)) == 1 {
			return nil
		}
	}
	return errors.New("the parameter iss names another provider")
}

// Recheck refreshes the token of a GitHub App and asks who the user is now.
func (p *Provider) Recheck(ctx context.Context, refreshToken string, was identity.Claims) (provider.Result, error) {
	token, err := p.Refresh(ctx, refreshToken, nil)
	if err != nil {
		if token.RefreshToken != "" {
			return provider.Result{Token: &token}, err
		}
		return provider.Result{}, err
	}
	result := provider.Result{Claims: was, Token: &token}
	now, err := p.stillIs(ctx, token, was)
	if err != nil {
		return result, err
	}
	result.Claims = now
	return result, nil
}

// CheckToken asks who the user is now, by the token of an OAuth App: it neither
// expires nor can be refreshed. GitHub answers 401 to one that was revoked, by the
// user or the app's owner, by newer ones (more than ten of one user, app and
// scope), or because nobody had used it for a year.
func (p *Provider) CheckToken(ctx context.Context, token provider.Token, was identity.Claims) (identity.Claims, error) {
	now, err := p.stillIs(ctx, token, was)
	if errors.Is(err, outbound.ErrUnauthorized) {
		return identity.Claims{}, fmt.Errorf("provider %s: %w: it answers 401 to the token", p.config.Name, provider.ErrGrant)
	}
	return now, err
}

// stillIs is [Provider.identify] for a token of somebody who is known.
func (p *Provider) stillIs(ctx context.Context, token provider.Token, was identity.Claims) (identity.Claims, error) {
	now, login, err := p.read(ctx, token)
	if err != nil {
		return identity.Claims{}, err
	}
	if now.ID != was.ID || now.Issuer != was.Issuer {
		return identity.Claims{}, fmt.Errorf("provider %s: %w: it answers for another user", p.config.Name, provider.ErrGone)
	}
	now.AuthTime = was.AuthTime
	if now.Unread[identity.ClaimEmail] == identity.CauseRefused {
		// Nobody gets another name because GitHub says less than it did.
		now.User, now.Email, now.EmailVerified = was.User, was.Email, was.EmailVerified
		return now, nil
	}
	if now.User, err = p.userName(&now, login); err != nil {
		// What is wrong is not the answer but the user, who could not sign in like that.
		return identity.Claims{}, fmt.Errorf("provider %s: %w: %w", p.config.Name, provider.ErrGone, err)
	}
	return now, nil
}

func (p *Provider) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, outbound.TokenClient(p.client))
}

func (p *Provider) refuse(err error) error {
	return fmt.Errorf("provider %s: %w: %w", p.config.Name, provider.ErrResponse, err)
}

func (p *Provider) hasScope(token provider.Token, scope string) bool {
	granted := strings.FieldsFunc(token.Scope, func(r rune) bool { return r == ',' || r == ' ' })
	if len(granted) == 0 { // a GitHub App has permissions in place of scopes
		granted = p.config.Scopes
	}
	return slices.Contains(granted, scope)
}

var (
	_ provider.Redirect  = (*Provider)(nil)
	_ provider.Scoper    = (*Provider)(nil)
	_ provider.Refresher = (*Provider)(nil)
	_ provider.Rechecker = (*Provider)(nil)
	_ provider.Checker   = (*Provider)(nil)

	_ provider.TokenChecker = (*Provider)(nil)
	_ provider.NeedsClaims  = (*Provider)(nil)
)

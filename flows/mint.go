package flows

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// idClaims of an ID token (OpenID Connect Core, section 2).
type idClaims struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   string   `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	ExpiresAt  int64    `json:"exp"`
	AccessHash string   `json:"at_hash"`
	SessionID  string   `json:"sid,omitempty"`
	Nonce      string   `json:"nonce,omitempty"`
	AuthTime   int64    `json:"auth_time,omitempty"`
	ACR        string   `json:"acr,omitempty"`
	AMR        []string `json:"amr,omitempty"`
	userClaims
}

// grantee is whom and what tokens are issued for.
type grantee struct {
	client   *client.Client
	subject  string
	session  string // "" without a session
	claims   identity.Claims
	scope    []string
	resource []string
	nonce    string
	jkt      string
	ends     time.Time // the session's absolute end; zero: none
}

// audience of the grantee's access token. A client that asks for no resource has
// one for userinfo too, if it may call that, whatever its own audience is.
func (of *grantee) audience(at web.Issuer) []string {
	aud := audience(at, of.client, of.resource)
	if len(of.resource) == 0 && slices.Contains(of.scope, "openid") && !slices.Contains(aud, at.ID()) {
		return append(slices.Clone(aud), at.ID())
	}
	return aud
}

// accessToken mints an access token. It does not outlive the session.
func (g *Gateway) accessToken(at web.Issuer, of grantee) (string, time.Duration, error) {
	now := g.Now()
	life := of.client.AccessTokenLifetime
	if !of.ends.IsZero() {
		life = max(time.Second, min(life, of.ends.Sub(now)))
	}
	claims := accesstoken.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: at.ID(), Subject: of.subject, Audience: of.audience(at),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)), ID: encode(g.Keyring.Random(16)),
		},
		ClientID: of.client.ID, SessionID: of.session, Scope: strings.Join(of.scope, " "), ACR: of.claims.ACR,
	}
	if !of.claims.AuthTime.IsZero() {
		claims.AuthTime = of.claims.AuthTime.Unix()
	}
	if slices.Contains(of.scope, "groups") {
		claims.Groups = of.claims.Groups
	}
	if of.jkt != "" {
		claims.Cnf = &accesstoken.Confirmation{JKT: of.jkt}
	}
	signed, err := g.Keys.Sign(token.TypeAccess, of.client.AccessTokenAlgorithm, withKept(claims, &of))
	return signed, life, err
}

// idToken mints an ID token (OpenID Connect Core, section 2) when openid was
// asked for, else "".
func (g *Gateway) idToken(at web.Issuer, of grantee, access string) (string, error) {
	if !slices.Contains(of.scope, "openid") {
		return "", nil
	}
	now := g.Now()
	claims := idClaims{
		Issuer: at.ID(), Subject: of.subject, Audience: of.client.ID,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(of.client.AccessTokenLifetime).Unix(),
		AccessHash: halfHash(of.client.IDTokenAlgorithm, access), SessionID: of.session, Nonce: of.nonce,
		ACR: of.claims.ACR, AMR: of.claims.AMR, userClaims: userClaimsOf(&of.claims, of.scope),
	}
	if !of.claims.AuthTime.IsZero() {
		claims.AuthTime = of.claims.AuthTime.Unix()
	}
	return g.Keys.Sign(token.TypeID, of.client.IDTokenAlgorithm, withKept(claims, &of))
}

// halfHash is at_hash (OpenID Connect Core, section 3.1.3.6).
func halfHash(alg, value string) string {
	if alg == token.EdDSA {
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// userClaims are the claims that scopes ask for (OpenID Connect Core, section
// 5.4). What is nil is not said; groups that were asked for are, though empty, unless
// they are not known: a client must not take that for none. HasGroups then says that
// there may be some, as Microsoft Entra does, which another Gatehouse reads.
type userClaims struct {
	PreferredUsername *string   `json:"preferred_username,omitempty"`
	Name              string    `json:"name,omitempty"`
	Email             string    `json:"email,omitempty"`
	EmailVerified     *bool     `json:"email_verified,omitempty"`
	Groups            *[]string `json:"groups,omitempty"`
	HasGroups         bool      `json:"hasgroups,omitempty"`
}

func userClaimsOf(c *identity.Claims, scope []string) userClaims {
	var said userClaims
	for _, s := range scope {
		switch s {
		case "profile":
			said.PreferredUsername, said.Name = &c.User, c.Name
		case "email":
			if c.Email != "" {
				said.Email, said.EmailVerified = c.Email, &c.EmailVerified
			}
		case "groups":
			if c.IsUnread(identity.ClaimGroups) {
				said.HasGroups = true
				continue
			}
			groups := append([]string{}, c.Groups...)
			said.Groups = &groups
		}
	}
	return said
}

// tokens mints an answer of the token endpoint, without a refresh token.
func (g *Gateway) tokens(at web.Issuer, of grantee) (*tokenResponse, error) {
	access, life, err := g.accessToken(at, of)
	if err != nil {
		return nil, err
	}
	id, err := g.idToken(at, of, access)
	if err != nil {
		return nil, err
	}
	answer := &tokenResponse{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: seconds(life), IDToken: id, Scope: strings.Join(of.scope, " "),
	}
	if of.jkt != "" {
		answer.TokenType = "DPoP"
	}
	return answer, nil
}

// marshal encodes a value of ours, which cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("flows: encoding a value of our own: " + err.Error())
	}
	return b
}

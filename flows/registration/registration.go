package registration

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Registration is what a client said of itself, as far as it was granted.
type Registration struct {
	// Name that the client gave itself, for people. Nobody has checked it.
	Name string `json:"n,omitempty"`
	// RedirectURIs of the client.
	RedirectURIs []string `json:"r"`
	// Refresh: it may have refresh tokens.
	Refresh bool `json:"f,omitempty"`
	// IssuedAt, in seconds since 1970; zero for a document.
	IssuedAt int64 `json:"t,omitempty"`
}

// ApplicationType is native where an answer goes to a program of the person's own
// device, else web (OpenID Connect Registration, section 2).
func (r *Registration) ApplicationType() string {
	if r.IsNative() {
		return typeNative
	}
	return typeWeb
}

// IsNative reports whether an answer may go to a program of the person's own device.
func (r *Registration) IsNative() bool { return slices.ContainsFunc(r.RedirectURIs, isNative) }

// Grants are the grant types that the client has.
func (r *Registration) Grants() []string {
	if r.Refresh {
		return []string{client.GrantCode, client.GrantRefresh}
	}
	return []string{client.GrantCode}
}

// Digest of what a person who consents relies on. It differs as soon as the client
// could be answered elsewhere.
func (r *Registration) Digest() string {
	uris := slices.Sorted(slices.Values(r.RedirectURIs))
	sum := sha256.Sum256([]byte(client.MethodNone + "\n" + strings.Join(uris, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Client is the registered client of that id. It has no scopes yet: those depend on
// where it wants to go.
func (r *Registration) Client(id string) *client.Client {
	return &client.Client{
		ID: id, Title: r.Name, Public: true, SelfRegistered: true, RedirectURIs: r.RedirectURIs,
		ResponseModes: []string{client.ModeQuery}, Grants: r.Grants(), Scopes: []string{},
		RefreshTokens: client.RefreshOffline, RefreshGrace: client.DefaultRefreshGrace,
		AccessTokenLifetime:  client.DefaultAccessTokenLifetime,
		AccessTokenAlgorithm: client.DefaultAccessTokenAlgorithm, IDTokenAlgorithm: client.DefaultIDTokenAlgorithm,
	}
}

// idPrefix begins every id that is made here. A document's begins with https.
const idPrefix = "gtc_"

// MaxID is the longest id, in bytes.
const MaxID = 1024

// Lifetime of a registration. Sessions end long before; a client whose registration has
// ended is told invalid_client when it next asks for a token, and registers again.
const Lifetime = 365 * 24 * time.Hour

// sealLabel is the purpose of what is sealed into an id.
const sealLabel = "client registration"

// Sealer seals and opens, such as a keyring.
type Sealer interface {
	SealString(label string, aad, plaintext []byte) string
	OpenString(label string, aad []byte, s string) ([]byte, error)
}

// Seal makes the id of a registration at an issuer. It is [ErrMetadata] if that would be
// longer than [MaxID].
func Seal(with Sealer, issuer string, r *Registration) (id string, err error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	id = idPrefix + with.SealString(sealLabel, []byte(issuer), plain)
	if len(id) > MaxID {
		return "", invalidMetadata("the registration is too large: register fewer or shorter redirect_uris")
	}
	return id, nil
}

// Open reads the registration in an id that [Seal] made for the same issuer. It is nil
// for every other id, and after [Lifetime].
func Open(with Sealer, issuer, id string, now time.Time) *Registration {
	sealed, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(id) > MaxID {
		return nil
	}
	plain, err := with.OpenString(sealLabel, []byte(issuer), sealed)
	if err != nil {
		return nil
	}
	r := new(Registration)
	if json.Unmarshal(plain, r) != nil || len(r.RedirectURIs) == 0 {
		return nil
	}
	if now.After(time.Unix(r.IssuedAt, 0).Add(Lifetime)) {
		return nil
	}
	return r
}

// IsID reports whether an id has the form of one of a client that registered itself, by
// either way. A client of the configuration may have such a one as well.
func IsID(id string) bool { return strings.HasPrefix(id, idPrefix) || IsDocument(id) }

// IsDocument reports whether an id has the form of a metadata document's URL.
func IsDocument(id string) bool { return strings.HasPrefix(id, "https://") }

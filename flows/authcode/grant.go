// Package authcode is what an authorization code or a device code stands for, and how
// it becomes a session at most once: by the token endpoint (RFC 6749, section 4.1.3;
// RFC 8628, section 3.4) and by a guarded site to which the portal hands a sign-in over.
package authcode

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
)

// Grant is what a code, or a device code, stands for once somebody has signed in for
// it. It is kept sealed in the code's flow.
type Grant struct {
	Subject  string          `json:"s"`
	Portal   uuid.UUID       `json:"i"` // the sign-in that it came from
	Client   string          `json:"c"`
	Scope    []string        `json:"o,omitempty"`
	Resource []string        `json:"x,omitempty"`
	Nonce    string          `json:"n,omitempty"`
	Claims   identity.Claims `json:"a"`
	// Sought is that of the sign-in, see [session.Start]; nil if it is not known.
	Sought *string `json:"w,omitempty"`
}

// Key of the flow that a code of this id belongs to.
func Key(id uuid.UUID) string { return "flow:" + id.String() }

// Proof is what a redemption must present, all in one digest: the code's
// secret, the issuer (a client id means something at one issuer only, and each
// guarded site is one where there is no portal), the client, the redirect URI, the PKCE
// challenge and the DPoP key that the code is bound to, if it is. The cache compares it
// in the step that consumes the code, so a wrong attempt consumes nothing.
func Proof(secret []byte, issuer, client, redirectURI, challenge, jkt string) []byte {
	h := sha256.New()
	for _, part := range [][]byte{secret, []byte(issuer), []byte(client), []byte(redirectURI), []byte(challenge), []byte(jkt)} {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part))) //nolint:gosec // parts are bounded far below 4 GiB
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// Seal is the value of the flow of that key, from which Open reads the grant.
func (c *Codes) Seal(key string, g Grant) []byte {
	return sealed.Seal(c.Keyring, "flow", []byte(key), g)
}

// Open reads what a flow's code stands for. It fails unless the flow is ready.
func (c *Codes) Open(flow cache.Flow) (Grant, error) {
	return sealed.Open[Grant](c.Keyring, "flow", []byte(flow.Key), flow.Value)
}

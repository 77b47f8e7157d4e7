package token

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// readFile makes a snapshot of a JWKS file with private keys: of each
// algorithm the first that may sign does, the others are published and verify.
// Rotation is the operator's: add a key at the end, wait an hour, move it to the
// front, and remove the old one a day later. Keys that are for something else than
// signatures (RFC 7517, sections 4.2 and 4.3) are passed over.
func readFile(name string) (*keySet, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file struct {
		Keys []fileJWK `json:"keys"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, errors.New("it is not a JWKS (RFC 7517)") // the cause could quote a key
	}
	if len(file.Keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	set := newKeySet()
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	digest := sha256.New()
	for i, jwk := range file.Keys {
		if !jwk.isForSignatures() {
			continue
		}
		loaded, err := fileKey(jwk)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if set.byID[loaded.id] != nil {
			return nil, fmt.Errorf("key %d occurs twice", i+1)
		}
		set.add(loaded)
		public.Keys = append(public.Keys, loaded.jwk)
		fmt.Fprintf(digest, "%q %s %s %t\n", loaded.id, loaded.print, loaded.alg, loaded.private != nil)
		if set.active[loaded.alg] == nil && loaded.private != nil {
			loaded.state = tokenstore.KeyActive
			set.active[loaded.alg] = loaded
		}
	}
	if len(set.active) == 0 {
		return nil, errors.New("it holds no private key that may sign")
	}
	set.digest = base64.RawURLEncoding.EncodeToString(digest.Sum(nil)[:16])
	set.jwks, err = json.Marshal(public)
	return set, err
}

// FileDigest tells which keys a file, see [Config], holds and in what order, and
// nothing of what is secret of them.
func FileDigest(name string) (string, error) {
	set, err := readFile(name)
	if err != nil {
		return "", fmt.Errorf("reading signing keys from %s: %w", name, err)
	}
	return set.digest, nil
}

// FileAlgorithms are those that a file, see [Config], holds a key to sign with of.
func FileAlgorithms(name string) ([]string, error) {
	set, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading signing keys from %s: %w", name, err)
	}
	return slices.Sorted(maps.Keys(set.active)), nil
}

// Offered are the algorithms that ID tokens can be signed with here: those of
// which a key is kept, or the file holds one.
func (k *Keys) Offered() []string {
	set := k.current.Load()
	switch {
	case k.File == "":
		return slices.Clone(k.Algorithms)
	case set == nil:
		return slices.Clone(k.Algorithms) // as long as nothing can be signed
	}
	return slices.Sorted(maps.Keys(set.active))
}

// ed25519Name is EdDSA with that curve (RFC 9864, section 2.2). Our tokens say EdDSA,
// which more verifiers know, and a published key the same as the tokens.
const ed25519Name = "Ed25519"

// fileJWK is a key of a file, with what the library does not read.
type fileJWK struct {
	jose.JSONWebKey
	operations []string // nil: not said
}

// UnmarshalJSON reads a JWK. The error quotes nothing of it.
func (j *fileJWK) UnmarshalJSON(raw []byte) error {
	var purpose struct {
		Operations []string `json:"key_ops"`
	}
	if err := j.JSONWebKey.UnmarshalJSON(raw); err != nil {
		return errors.New("not a JWK")
	}
	if err := json.Unmarshal(raw, &purpose); err != nil {
		return errors.New("key_ops is no list of names")
	}
	j.operations = purpose.Operations
	if j.Algorithm == ed25519Name {
		j.Algorithm = EdDSA
	}
	return nil
}

func (j *fileJWK) may(operation string) bool {
	return j.operations == nil || slices.Contains(j.operations, operation)
}

func (j *fileJWK) isForSignatures() bool {
	return (j.Use == "" || j.Use == "sig") && (j.may("sign") || j.may("verify"))
}

// fileKey takes a private key, or one that only verifies: a public one, or one whose
// key_ops leave signing out.
func fileKey(jwk fileJWK) (*key, error) {
	method := signingMethod(jwk.Algorithm)
	if method == nil {
		return nil, fmt.Errorf("alg must be ES256, EdDSA (or Ed25519) or RS256, not %q", jwk.Algorithm)
	}
	private, _ := jwk.Key.(crypto.Signer)
	var public crypto.PublicKey
	switch {
	case private != nil:
		public = private.Public()
	case jwk.IsPublic():
		public = jwk.Key
	default:
		return nil, errors.New("it is neither a private nor a public key")
	}
	id, published, err := describe(jwk.Algorithm, public)
	if err != nil {
		return nil, err
	}
	thumbprint := id
	if jwk.KeyID != "" {
		id, published.KeyID = jwk.KeyID, jwk.KeyID
	}
	if err := fits(jwk.Algorithm, public); err != nil {
		return nil, err
	}
	if !jwk.may("sign") {
		private = nil
	}
	return &key{id: id, print: thumbprint, alg: jwk.Algorithm, state: tokenstore.KeyRetired, method: method, private: private, public: public, jwk: published}, nil
}

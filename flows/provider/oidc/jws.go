package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

const (
	// maxToken is the most bytes that an ID token or logout token may have.
	maxToken = 256 << 10
	maxKeyID = 1 << 10
)

var errForm = errors.New("not a signed token in compact form")

// parseJWS reads a token in compact form, one spelling only: the decoder of
// the JOSE library takes line breaks and stray bits in base64, and the JSON
// forms of RFC 7515 as well. Its header is UTF-8 (RFC 7515, section 5.2), which the
// decoder of JSON would make of anything.
func parseJWS(raw string) (*jose.JSONWebSignature, error) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return nil, errForm
	}
	for part := range strings.SplitSeq(raw, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || part == "" {
			return nil, errForm
		}
	}
	header, _, _ := strings.Cut(raw, ".")
	if decoded, err := base64.RawURLEncoding.DecodeString(header); err != nil || !utf8.Valid(decoded) {
		return nil, errForm
	}
	algs := make([]jose.SignatureAlgorithm, len(algorithms))
	for i, a := range algorithms {
		algs[i] = jose.SignatureAlgorithm(a)
	}
	token, err := jose.ParseSignedCompact(raw, algs)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", errForm, outbound.Printable(err.Error()))
	}
	if len(token.Signatures) != 1 {
		return nil, errForm
	}
	return token, nil
}

// checkHeader refuses a token that brings or names its own key (OpenID Connect
// Core, section 2) or is of another type (RFC 8725, section 3.11). typ is the type
// that the token may have beside JWT and none.
func checkHeader(raw, typ string) error {
	token, err := parseJWS(raw)
	if err != nil {
		return err
	}
	if err := checkKeyOfHeader(token); err != nil {
		return err
	}
	value, ok := token.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	if !ok {
		return nil
	}
	if s, _ := value.(string); !strings.EqualFold(s, "JWT") && !strings.EqualFold(s, typ) {
		return errors.New("it is a token of another type")
	}
	return nil
}

// checkKeyOfHeader refuses a token that brings or names its own key.
func checkKeyOfHeader(token *jose.JSONWebSignature) error {
	header := token.Signatures[0].Protected
	if len(header.KeyID) > maxKeyID {
		return errors.New("its key id is too long")
	}
	if header.JSONWebKey != nil {
		return errors.New("its header holds a key")
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u"} {
		if _, ok := header.ExtraHeaders[name]; ok {
			return fmt.Errorf("its header has %s", name)
		}
	}
	return nil
}

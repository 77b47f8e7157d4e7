package clientjwt

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/golang-jwt/jwt/v5"
)

// ErrToken: what a client sent is no JWT that its key signed.
var ErrToken = errors.New("not a signed JWT")

// Header is what of a JWT's header counts (RFC 7515, section 4.1).
type Header struct {
	Algorithm string          `json:"alg"`
	Type      string          `json:"typ"`
	KeyID     string          `json:"kid"`
	Key       json.RawMessage `json:"jwk"`
}

// refusedParameters would have the key fetched from somewhere else, or change what
// a signature is of. x5c, which libraries that sign by a certificate add, is not
// looked at: the key is the one that is known.
var refusedParameters = []string{"crit", "b64", "jku", "x5u"} //nolint:gochecknoglobals // a constant list

// Parse reads a JWT of a client's into claims, a pointer to a struct, and returns
// its signature. find tells the key by the header, when the claims have been read;
// nothing of them is to be believed before Parse has returned. Every refusal is
// [ErrToken].
//
// There is one spelling of each token: compact, in strict base64 without line
// breaks, the names of parameters and claims in their own case and there once.
func Parse(raw string, claims any, find func(Header) (Key, error)) (signature []byte, err error) {
	parts := strings.Split(raw, ".")
	// The decoder skips line breaks, even a strict one.
	if len(parts) != 3 || strings.ContainsAny(raw, "\r\n") {
		return nil, ErrToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, ErrToken
		}
	}
	var named map[string]json.RawMessage
	var header Header
	if json.Unmarshal(decoded[0], &named) != nil || json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], claims) != nil {
		return nil, ErrToken
	}
	for _, name := range refusedParameters {
		if _, there := named[name]; there {
			return nil, ErrToken
		}
	}
	method := jwt.GetSigningMethod(methodName(header.Algorithm))
	if method == nil || !slices.Contains(algorithms, header.Algorithm) {
		return nil, ErrToken
	}
	key, err := find(header)
	if err != nil || !key.Takes(header.Algorithm) {
		return nil, ErrToken
	}
	signed := raw[:strings.LastIndexByte(raw, '.')]
	if method.Verify(signed, decoded[2], key.Public) != nil {
		return nil, ErrToken
	}
	return decoded[2], nil
}

// Time is a NumericDate (RFC 7519, section 2): a number, and never one in quotes.
type Time struct{ time.Time }

// maxTime is beyond every date that makes sense, in seconds since 1970.
const maxTime = 1e11

// UnmarshalJSON reads seconds since 1970, with or without a fraction.
func (t *Time) UnmarshalJSON(raw []byte) error {
	seconds, err := strconv.ParseFloat(string(raw), 64) // a quote is no part of a number
	if err != nil || seconds <= -maxTime || seconds >= maxTime {
		return ErrToken
	}
	whole := int64(seconds)
	t.Time = time.Unix(whole, int64((seconds-float64(whole))*1e9))
	return nil
}

// Numeric is the time as package jwt has it, or nil.
func (t *Time) Numeric() *jwt.NumericDate {
	if t == nil {
		return nil
	}
	return jwt.NewNumericDate(t.Time)
}

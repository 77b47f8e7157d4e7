// Package sealed carries a value through places that are not ours: a browser's form or
// cookie, the cache, a column of the token store. It travels as JSON that only who has
// the secret can read or make. A label keeps values of one kind from being taken for
// those of another, and the additional data binds one to its place (RFC 5116, section
// 2.1).
//
// Nodes of two versions read each other's values: new fields of a type must be optional.
package sealed

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// Seal seals a value for the cache or the token store. It panics if the value cannot
// be encoded.
func Seal(k *keyring.Keyring, label string, aad []byte, value any) []byte {
	return k.Seal(label, aad, encode(value))
}

// Open opens what Seal made. Errors: those of [keyring.Keyring.Open], and those of
// [json.Unmarshal].
func Open[T any](k *keyring.Keyring, label string, aad, sealed []byte) (T, error) {
	return decode[T](k.Open(label, aad, sealed))
}

// SealString seals a value for a URL, a form or a cookie. It panics if the value cannot
// be encoded.
func SealString(k *keyring.Keyring, label string, aad []byte, value any) string {
	return k.SealString(label, aad, encode(value))
}

// OpenString opens what SealString made. Errors as of [Open].
func OpenString[T any](k *keyring.Keyring, label string, aad []byte, sealed string) (T, error) {
	return decode[T](k.OpenString(label, aad, sealed))
}

// StringLength is how long a value is, in bytes, when SealString has sealed it.
func StringLength(value any) int {
	return base64.RawURLEncoding.EncodedLen(keyring.Overhead + len(encode(value)))
}

// encode leaves out the escapes that guard HTML, each of which makes six bytes of one.
func encode(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("sealed: encoding a value of our own: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func decode[T any](plain []byte, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(plain, &value); err != nil {
		return value, fmt.Errorf("reading a value of our own: %w", err)
	}
	return value, nil
}

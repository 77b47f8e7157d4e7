package local

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// maxName is the most bytes that a user name may have.
const maxName = 255

// User is one line of the configuration.
type User struct {
	// Name is what the user types, compared exactly: 1 to 255 bytes of UTF-8
	// without control characters. It is the identity, so that a user who is
	// renamed is another one.
	Name string
	// PasswordHash is a hash of `caddy hash-password`. It is a secret.
	PasswordHash string
	// Comparer checks passwords against PasswordHash.
	Comparer Comparer
	// Email is optional, and counts as verified: the operator wrote it.
	Email string
	// Groups of the user.
	Groups []string
	// Title is the user's full name, optional.
	Title string
	// Claims are further claims; one with a single value is a text, else a list.
	Claims map[string][]string

	fingerprint string
}

// Comparer checks a password against a hash. Caddy's modules of the namespace
// http.authentication.hashes are such.
type Comparer interface {
	// Compare reports whether plaintext is what was hashed. Its time must not
	// depend on the answer.
	Compare(hash, plaintext []byte) (bool, error)
}

// String is the user's name, and nothing of the hash.
func (u User) String() string { return u.Name }

// GoString is String, for %#v.
func (u User) GoString() string { return u.Name }

func (u *User) validate() error {
	if !validName(u.Name) {
		return fmt.Errorf("user %q: a name has 1 to %d bytes of UTF-8 and no control characters", u.Name, maxName)
	}
	if !strings.HasPrefix(u.PasswordHash, "$") {
		return fmt.Errorf("user %s: the password is not hashed; use the output of caddy hash-password", u.Name)
	}
	if u.Comparer == nil {
		return fmt.Errorf("user %s: nothing can check this kind of password hash", u.Name)
	}
	if u.Email != "" && !identity.IsAddress(u.Email) {
		return fmt.Errorf("user %s: %q is not an e-mail address", u.Name, u.Email)
	}
	for _, g := range u.Groups {
		if g == "" || len(g) > maxName || hasControl(g) {
			return fmt.Errorf("user %s: %q cannot be a group", u.Name, g)
		}
	}
	if len(u.Title) > maxName || hasControl(u.Title) {
		return fmt.Errorf("user %s: the title is too long or has control characters", u.Name)
	}
	size := 0
	for name, values := range u.Claims {
		for _, v := range values {
			if size += len(name) + len(v); len(v) > maxName || hasControl(v) || !utf8.ValidString(v) {
				return fmt.Errorf("user %s: a value of the claim %s is too long or has control characters", u.Name, name)
			}
		}
	}
	if size > maxClaims {
		return fmt.Errorf("user %s: the claims have %d bytes, and at most %d are kept of a user", u.Name, size, maxClaims)
	}
	return nil
}

// maxClaims is the most bytes that a user's claims may have.
const maxClaims = 6 << 10

// extra are the claims as a provider's JSON has them.
func (u *User) extra() map[string]any {
	if len(u.Claims) == 0 {
		return nil
	}
	extra := make(map[string]any, len(u.Claims))
	for name, values := range u.Claims {
		if len(values) == 1 {
			extra[name] = values[0]
			continue
		}
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		extra[name] = list
	}
	return extra
}

// Limits of a password, in bytes.
const (
	maxPassword = 1024
	// bcrypt reads no further, and Caddy's module does not refuse more:
	// without this limit the first 72 bytes would open the account.
	maxBcryptPassword = 72
)

// compare does the work of one check, whatever the password's length is.
func (u *User) compare(password string) (bool, error) {
	limit := maxPassword
	if strings.HasPrefix(u.PasswordHash, "$2") {
		limit = maxBcryptPassword
	}
	acceptable := password != "" && len(password) <= limit
	ok, err := u.Comparer.Compare([]byte(u.PasswordHash), []byte(password[:min(len(password), limit)]))
	if err != nil {
		// The cause is left out: it may quote what stands in place of a hash.
		return false, errUnreadableHash
	}
	return ok && acceptable, nil
}

var errUnreadableHash = errors.New("password hash cannot be read")

func validName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !hasControl(s)
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

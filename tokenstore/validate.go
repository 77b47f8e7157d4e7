package tokenstore

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// What no store may accept is refused by the Validate methods of the types
// that stores are given and, for arguments of other types, by the Validate
// functions. A store calls them before it does anything else. Their errors are
// ErrInvalid and name the argument, never its value.

// Limits beside those of a session, in bytes. All fit into an index entry of
// any database. Beyond them a store answers ErrInvalid.
const (
	MaxIssuer          = 2048 // an identity's, and a provider token's Provider
	MaxIdentitySubject = 255  // at the provider
	MaxTokenID         = 2048 // a revoked token's, and a signing key's
	MaxAlgorithm       = 255
	MaxHash            = 1024 // of a provider token's values
	MaxNarrowed        = 1 << 20
)

// How many rows a listing has: DefaultPage where the caller names no limit,
// MaxPage at most.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// ValidateText refuses a string that holds NUL or is not UTF-8.
func ValidateText(name, s string) error { return validText(name, s, 0) }

// ValidateRequired is [ValidateText] of a string that must not be empty.
func ValidateRequired(name, s string) error { return validRequired(name, s, 0) }

// ValidateSubject refuses what cannot be the id of a [Subject].
func ValidateSubject(id string) error { return validRequired("subject", id, MaxSubject) }

// validLimit refuses what is no limit of a listing; 0 is [DefaultPage].
func validLimit(n int) error {
	return faultIf(n < 0 || n > MaxPage, "limit", "is not in 1 to 1000")
}

// validText is [ValidateText] with a limit in bytes; 0 is none.
func validText(name, s string, limit int) error {
	switch {
	case !utf8.ValidString(s):
		return fault(name, "is not UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return fault(name, "holds NUL")
	case limit > 0 && len(s) > limit:
		return fault(name, "is too long")
	}
	return nil
}

func validRequired(name, s string, limit int) error {
	return cmp.Or(faultIf(s == "", name, "is empty"), validText(name, s, limit))
}

func validTexts(name string, list []string) error {
	for _, s := range list {
		if err := ValidateText(name, s); err != nil {
			return err
		}
	}
	return nil
}

// validTime refuses a time that some database cannot hold.
func validTime(name string, t time.Time) error {
	year := t.Year()
	return faultIf(year < 1 || year > 9999, name, "is not in the years 1 to 9999")
}

func faultIf(is bool, name, what string) error {
	if !is {
		return nil
	}
	return fault(name, what)
}

func fault(name, what string) error { return fmt.Errorf("%s %s: %w", name, what, ErrInvalid) }

package identity

import (
	"strconv"
	"strings"
)

const keptPrefix = "claims."

// KeptClaim is the key of a further claim in [Claims.Unread].
func KeptClaim(name string) string { return keptPrefix + name }

// ClaimValues are the values of a further claim, for comparing: a text, true or
// false, a number, or a list of these. known is false for a claim that cannot be
// compared: one that is not known ([Claims.Unread]), or of another shape. A claim
// that is not there has no values, and is known.
func (c *Claims) ClaimValues(name string) (values []string, known bool) {
	if c.IsUnread(KeptClaim(name)) {
		return nil, false
	}
	return c.ShownClaim(name)
}

// ShownClaim is [Claims.ClaimValues] for showing: a claim that the provider did not
// repeat is as it was.
func (c *Claims) ShownClaim(name string) (values []string, known bool) {
	claim, there := c.Extra[name]
	if !there || claim == nil {
		return nil, true
	}
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	for _, one := range list {
		text, ok := scalar(one)
		if !ok {
			return nil, false
		}
		values = append(values, text)
	}
	return values, true
}

// HasClaim reports whether a further claim is known and has a value.
func (c *Claims) HasClaim(name, value string) bool {
	has, known := c.compareClaim(name, value)
	return has && known
}

// MayHaveClaim reports whether a further claim has a value, or cannot be compared.
// Deny rules ask it.
func (c *Claims) MayHaveClaim(name, value string) bool {
	has, known := c.compareClaim(name, value)
	return has || !known
}

// compareClaim is [Claims.ClaimValues] for one value. It does not allocate for texts.
func (c *Claims) compareClaim(name, value string) (has, known bool) {
	if len(c.Unread) > 0 && c.IsUnread(KeptClaim(name)) {
		return false, false
	}
	claim, there := c.Extra[name]
	if !there || claim == nil {
		return false, true
	}
	list, ok := claim.([]any)
	if !ok {
		text, ok := scalar(claim)
		return text == value, ok
	}
	for _, one := range list {
		text, ok := scalar(one)
		if !ok {
			return false, false
		}
		has = has || text == value
	}
	return has, true
}

// scalar is a value of JSON that is written in one way.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		// Beyond, two numbers become one: a long id is a text at those who mean it well.
		if v > maxExact || v < -maxExact {
			return "", false
		}
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// maxExact is the largest number up to which each integer is a float64 (RFC 8259,
// section 6).
const maxExact = 1<<53 - 1

// HasUnreadClaim reports whether one of the further claims is not known.
func (c *Claims) HasUnreadClaim() bool {
	for key := range c.Unread {
		if strings.HasPrefix(key, keptPrefix) {
			return true
		}
	}
	return false
}

package caddymodule

import "strings"

// findings are what is wrong with a configuration, in one line: Caddy logs its
// errors as JSON, where the line breaks of [errors.Join] cannot be read.
type findings []error

// together is nil when all of errs are.
func together(errs ...error) error {
	var all findings
	for _, err := range errs {
		if err != nil {
			all = append(all, err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Error implements error.
func (f findings) Error() string {
	texts := make([]string, 0, len(f))
	for _, err := range f {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets [errors.Is] and [errors.As] see each.
func (f findings) Unwrap() []error { return f }

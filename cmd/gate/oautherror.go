package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// oauthError is an error that an issuer answered (RFC 6749, section 5.2).
type oauthError struct {
	issuer      string
	Code        string `json:"error"`
	Description string `json:"error_description"`
	status      int
	retryAfter  time.Duration
}

func (e *oauthError) Error() string {
	if e.Description == "" {
		return e.issuer + " answered " + e.Code
	}
	return e.issuer + " answered " + e.Code + ": " + e.Description
}

// shortSecret is below what could be a secret; replacing it would garble words.
const shortSecret = 8

// secrets are the form fields that no error may repeat.
var secrets = []string{"refresh_token", "device_code", "code_verifier", "token", "subject_token"} //nolint:gochecknoglobals // a constant list

// answer decodes what a token endpoint or its kin answered to a form.
func answer(issuer string, r reply, sent url.Values, into any) error {
	if r.status == http.StatusOK {
		if into == nil {
			return nil
		}
		return r.json(issuer, into)
	}
	e := &oauthError{}
	if err := json.Unmarshal(r.body, e); err != nil || e.Code == "" {
		return r.json(issuer, into)
	}
	for _, name := range secrets {
		if secret := sent.Get(name); len(secret) >= shortSecret {
			e.Code = strings.ReplaceAll(e.Code, secret, "…")
			e.Description = strings.ReplaceAll(e.Description, secret, "…")
		}
	}
	e.issuer, e.status, e.retryAfter = issuer, r.status, r.retryAfter()
	return e
}

// passing reports whether an error may be gone at the next try, and when the
// server wants that to be, if it says so.
func passing(err error) (bool, time.Duration) {
	if e, ok := errors.AsType[*oauthError](err); ok {
		return e.status >= 500 || e.status == http.StatusTooManyRequests || e.Code == "temporarily_unavailable", e.retryAfter
	}
	if f, ok := errors.AsType[*failure](err); ok && f.code == exitUnreachable {
		return true, f.after
	}
	return false, 0
}

// errorCode is the code of an issuer's error, "" for any other error.
func errorCode(err error) string {
	if e, ok := errors.AsType[*oauthError](err); ok {
		return e.Code
	}
	return ""
}

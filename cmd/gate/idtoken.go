package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// userOf reads a name for people from an ID token. It came from the token
// endpoint itself, so TLS stands for its signature (OpenID Connect Core,
// section 3.1.3.7), and nothing is decided by it.
func userOf(idToken, issuer string) string {
	_, rest, ok := strings.Cut(idToken, ".")
	payload, _, signed := strings.Cut(rest, ".")
	if !ok || !signed {
		return ""
	}
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims person
	if err := json.Unmarshal(body, &claims); err != nil || claims.Issuer != issuer {
		return ""
	}
	return claims.title()
}

// person is what claims say about somebody.
type person struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Username string   `json:"preferred_username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
}

// title is the first name that there is.
func (p person) title() string {
	for _, s := range []string{p.Username, p.Email, p.Name, p.Subject} {
		if s != "" {
			return s
		}
	}
	return ""
}

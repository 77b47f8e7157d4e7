package stepup

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// Step is somebody's way to meet a requirement. It travels sealed, so that no link of a
// stranger asks for more than a place does.
type Step struct {
	ACR []string `json:"a,omitempty"`
	// MaxAge in seconds; 0 is any.
	MaxAge int64 `json:"m,omitempty"`
	// Provider that is asked, and who is to come back from it.
	Provider string `json:"p"`
	Issuer   string `json:"i"`
	ID       string `json:"s"`
	// Again: the provider was asked with prompt=login already.
	Again bool `json:"g,omitempty"`
	// At is when it was made, in seconds since 1970.
	At int64 `json:"t"`
}

const stepLabel = "step-up"

// stepValidity is how long a page may stay open that holds a step.
const stepValidity = time.Hour

// Of is the step that meets a requirement, for somebody who is signed in.
func (q *Requirement) Of(c *identity.Claims, now time.Time) Step {
	return Step{ACR: q.ACR, MaxAge: int64(q.MaxAge / time.Second), Provider: c.Provider, Issuer: c.Issuer, ID: c.ID, At: now.Unix()}
}

// Requirement is what the step is to meet.
func (s *Step) Requirement() *Requirement {
	return &Requirement{ACR: s.ACR, MaxAge: time.Duration(s.MaxAge) * time.Second}
}

// IsOf reports whether somebody is whom the step was made for.
func (s *Step) IsOf(c *identity.Claims) bool { return s.Issuer == c.Issuer && s.ID == c.ID }

// Seal seals a step at a site, by its client id.
func (s *Step) Seal(keys *keyring.Keyring, site string) string {
	plain, err := json.Marshal(s)
	if err != nil {
		panic("stepup: encoding a value of our own: " + err.Error())
	}
	return keys.SealString(stepLabel, []byte(site), plain)
}

// Open opens a step that was sealed for a site within the last hour.
func Open(keys *keyring.Keyring, site, sealed string, now time.Time) (*Step, error) {
	plain, err := keys.OpenString(stepLabel, []byte(site), sealed)
	if err != nil {
		return nil, errStep
	}
	s := new(Step)
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, errStep
	}
	if age := now.Sub(time.Unix(s.At, 0)); age < -5*time.Minute || age > stepValidity {
		return nil, errStep
	}
	return s, nil
}

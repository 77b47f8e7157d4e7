package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TenantPlaceholder stands in an issuer for the tenant that a token is of, as
// Microsoft Entra writes it in the metadata of several tenants.
const TenantPlaceholder = "{tenantid}"

func (c *Config) isOfTenants() bool { return strings.Contains(c.Issuer, TenantPlaceholder) }

// identityIssuer is the first half of identities. An issuer has no fragment (OpenID
// Connect Discovery, section 3), so that a namespace makes it no other's.
func (c *Config) identityIssuer() string {
	if c.IdentityNamespace == "" {
		return c.Issuer
	}
	return c.Issuer + "#" + c.IdentityNamespace
}

// checkIssuerOf holds a token's issuer to the configured one. Where that stands for
// tenants, the token's tid must fill it, and be one of those that may sign in.
func (c *Config) checkIssuerOf(s claimSet) error {
	issuer := c.Issuer
	if c.isOfTenants() {
		tid := textOf(s["tid"])
		if _, err := uuid.Parse(tid); err != nil || len(tid) != 36 {
			return errors.New("its tid, the tenant, is missing or no id")
		}
		if len(c.Tenants) > 0 && !slices.Contains(c.Tenants, tid) {
			return errors.New("its tenant (tid) is not among tenants")
		}
		issuer = strings.Replace(issuer, TenantPlaceholder, tid, 1)
	}
	switch textOf(s["iss"]) {
	case "":
		return errors.New("its issuer is missing")
	case issuer:
		return nil
	}
	return errors.New("its issuer is another")
}

// idOf is the second half of the identity. A subject is unique within a tenant.
func (c *Config) idOf(s claimSet) string {
	sub := textOf(s["sub"])
	if !c.isOfTenants() || sub == "" {
		return sub
	}
	return textOf(s["tid"]) + "/" + sub
}

// Current holds somebody who signed in before to the tenants that may sign in now.
// [provider.ErrGone].
func (p *Provider) Current(c identity.Claims) (identity.Claims, error) {
	if !p.config.isOfTenants() || len(p.config.Tenants) == 0 {
		return c, nil
	}
	if tid, _, _ := strings.Cut(c.ID, "/"); !slices.Contains(p.config.Tenants, tid) {
		return identity.Claims{}, fmt.Errorf("provider %s: %w: the tenant is not among tenants", p.config.Name, provider.ErrGone)
	}
	return c, nil
}

// subjectOf is the subject in an identity's id.
func (c *Config) subjectOf(id string) string {
	if !c.isOfTenants() {
		return id
	}
	_, sub, _ := strings.Cut(id, "/")
	return sub
}

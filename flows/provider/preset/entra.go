package preset

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// Microsoft Entra ID: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc,
// https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
//
// Addresses come without email_verified; xms_edov says whether their domain's owner
// verified them. The metadata of several tenants have {tenantid} in their issuer, which
// the token's tid fills. With more than 200 groups a token names another place to fetch
// them; they are fetched from the Graph host alone that is configured here.
func init() {
	register(&Preset{
		Name: "entra", Title: "Microsoft", Issuer: "https://login.microsoftonline.com", Example: "https://login.microsoftonline.us",
		Options: map[string]Option{
			"tenant":  {Example: "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55", Required: true},
			"tenants": {Kind: Many, Example: "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55"},
			"graph":   {Example: "https://graph.microsoft.us"},
		},
		Check: checkEntra,
		Open:  func(s Settings) bool { return isManyTenants(s.Get("tenant")) && !s.Has("tenants") },
		Configure: func(c *oidc.Config, s Settings) error {
			authority, tenant := strings.TrimSuffix(s.Issuer, "/"), s.Get("tenant")
			c.Issuer = authority + "/" + tenant + "/v2.0"
			if isManyTenants(tenant) {
				c.MetadataURL = c.Issuer + "/.well-known/openid-configuration"
				c.Issuer = authority + "/" + oidc.TenantPlaceholder + "/v2.0"
				c.Tenants = s.Options["tenants"]
			}
			c.VerifiedClaim = "xms_edov"
			graph := s.Get("graph")
			if graph == "" {
				graph = "https://graph.microsoft.com"
			}
			c.GroupsOverageURL = strings.TrimSuffix(graph, "/") + "/v1.0/me/getMemberObjects"
			return nil
		},
	})
}

func isManyTenants(tenant string) bool {
	return slices.Contains([]string{"common", "organizations", "consumers"}, tenant)
}

func checkEntra(s Settings) error {
	tenant := s.Get("tenant")
	if isManyTenants(tenant) {
		for _, t := range s.Options["tenants"] {
			if !isTenantID(t) {
				return fmt.Errorf("tenants: %q is not the id of a tenant, such as 5f1c9f4e-0000-4000-8000-3b1d2c7a9e55", t)
			}
		}
		return nil
	}
	switch {
	case s.Has("tenants"):
		return errors.New("tenants is for tenant organizations or common; a single one is named by tenant alone")
	case !isTenantID(tenant):
		return fmt.Errorf("tenant %q: write the directory (tenant) id, such as 5f1c9f4e-0000-4000-8000-3b1d2c7a9e55, as Entra's overview shows it: "+
			"its issuer has the id even where you ask by a domain; or organizations or common", tenant)
	}
	return nil
}

func isTenantID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36 && s == strings.ToLower(s)
}

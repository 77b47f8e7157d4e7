package preset

import (
	"errors"
	"fmt"
	"net/url"
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
		Hosts: []string{"login.partner.microsoftonline.cn", "login.windows.net", "sts.windows.net"},
		Check: checkEntra, Open: isOpenEntra,
		IssuerCure: "Check tenant, and for a national cloud the address after the type.",
		Faults: map[string]string{
			"AADSTS50011":  "add the redirect URI to the application, of the type Web",
			"AADSTS700016": "check client_id and tenant: that tenant has no such application",
			"AADSTS50194":  "the application is for one tenant only: write that one in tenant, or make it multitenant",
		},
		Configure: func(c *oidc.Config, s Settings) error {
			authority, tenant := strings.TrimSuffix(s.Issuer, "/"), s.Get("tenant")
			if tenant == "consumers" { // whose metadata name their one tenant
				tenant = personalTenant
			}
			if isOpenEntra(s) && isManyTenants(tenant) {
				if err := checkManyTenants(c); err != nil {
					return err
				}
				c.GroupsAreIDs = true
			}
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

func isManyTenants(tenant string) bool { return tenant == "common" || tenant == "organizations" }

// personalTenant is that of all personal accounts.
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// isOpenEntra reports whether anybody can have an account: of a tenant of their own, or a
// personal one.
func isOpenEntra(s Settings) bool {
	tenant := s.Get("tenant")
	if u, err := url.Parse(s.Issuer); tenant == "" && err == nil { // an issuer in full
		tenant, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	tenant = strings.ToLower(tenant)
	return isManyTenants(tenant) && !s.Has("tenants") || tenant == "consumers" || tenant == personalTenant ||
		slices.Contains(s.Options["tenants"], personalTenant)
}

// notTheTenants are further claims that no tenant's administrator chooses.
var notTheTenants = []string{"acct", "idp", "oid", "tid", "xms_edov"}

// checkManyTenants refuses to tell people of any tenant apart by what its administrator
// says of them: the names that they have there, and the roles that they are given
// (https://learn.microsoft.com/entra/identity-platform/claims-validation).
func checkManyTenants(c *oidc.Config) error {
	if c.GroupsClaim != "" && c.GroupsClaim != "groups" {
		return fmt.Errorf("groups_claim %s: in any tenant an administrator can give it to anybody; name the tenants that may sign in: tenants ID…", c.GroupsClaim)
	}
	for _, name := range slices.Concat(c.ExtraClaims, c.AccessTokenClaims) {
		if !slices.Contains(notTheTenants, name) {
			return fmt.Errorf("claims %s: in any tenant an administrator can give it to anybody; name the tenants that may sign in: tenants ID…", name)
		}
	}
	if !slices.Contains([]string{"", "email", "oid", "sub"}, c.UserClaim) {
		return fmt.Errorf("user_claim %s: in any tenant an administrator can give it to anybody; name the tenants that may sign in (tenants ID…), or write user_claim oid", c.UserClaim)
	}
	return nil
}

func checkEntra(s Settings) error {
	tenant := s.Get("tenant")
	if tenant == "consumers" && !s.Has("tenants") {
		return nil
	}
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

package flows

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func init() {
	register(client.GrantClientCredentials, servedGrant{serve: (*Gateway).grantClientCredentials})
}

// grantClientCredentials gives a client a token for itself (RFC 6749, section
// 4.4). There is no session behind it and no refresh token.
func (g *Gateway) grantClientCredentials(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	scope, err := req.client.AllowedScope(req.PostForm.Get("scope"))
	if err != nil {
		return nil, err
	}
	// These speak of a person, and there is none.
	scope = slices.DeleteFunc(client.WithoutProviders(scope), func(s string) bool {
		return s == "openid" || s == "profile" || s == "email" || s == "offline_access"
	})
	self := *req.client
	self.FirstParty = true // it acts for nobody else, who would have to allow it
	resource, err := g.allowedResources(req.at, &self, req.PostForm["resource"])
	if err != nil {
		return nil, err
	}
	if err := g.access.SpendProof(ctx, req.proof); err != nil {
		return nil, err
	}
	claims := accesstoken.ClientClaims(req.at, req.client.ID)
	return g.tokens(req.at, grantee{
		client: req.client, subject: req.client.ID, claims: claims, scope: scope, resource: resource, jkt: req.proof.JKT,
	})
}

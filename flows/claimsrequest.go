package flows

import (
	"encoding/json"
	"net/url"
	"strings"
)

// maxClaims bounds the claims parameter, in bytes.
const maxClaims = 4096

// claimsRequest is what is read of the parameter claims (OpenID Connect Core, section
// 5.5): the members that are more than a wish. Which other claims a client gets is said
// by its scopes; it asks in vain for more, which is no error (section 5.5.1).
type claimsRequest struct {
	IDToken struct {
		ACR *claimRequest `json:"acr"`
		Sub *claimRequest `json:"sub"`
	} `json:"id_token"`
}

// claimRequest is a claim asked for, maybe with one of some values.
type claimRequest struct {
	Essential bool     `json:"essential"`
	Value     *string  `json:"value"`
	Values    []string `json:"values"`
}

// wanted are the values asked for, of which any does.
func (c *claimRequest) wanted() []string {
	if c == nil {
		return nil
	}
	values := c.Values
	if c.Value != nil {
		values = append([]string{*c.Value}, values...)
	}
	return values
}

// parseClaims reads the parameter claims. A value of acr is a wish, as in acr_values,
// and a demand where the claim is essential: a sign-in of no such class has failed then
// (section 5.5.1.1). A value of sub is as id_token_hint (section 3.1.2.2).
func parseClaims(query url.Values, a *authRequest) *authorizeFault {
	raw := query.Get("claims")
	if raw == "" {
		return nil
	}
	bad := func(description string) *authorizeFault {
		return &authorizeFault{code: "invalid_request", description: description}
	}
	if len(raw) > maxClaims {
		return bad("claims is too long")
	}
	var asked claimsRequest
	if err := json.Unmarshal([]byte(raw), &asked); err != nil {
		return bad("claims is not a JSON object of claims requests (OpenID Connect Core, section 5.5)")
	}
	if subjects := asked.IDToken.Sub.wanted(); len(subjects) > 0 {
		if len(subjects) > 1 || len(subjects[0]) > maxHint || a.Hint != "" && a.Hint != subjects[0] {
			return bad("claims and id_token_hint ask for more than one subject")
		}
		a.Hint = subjects[0]
	}
	classes := asked.IDToken.ACR.wanted()
	if len(classes) == 0 {
		return nil
	}
	for _, class := range classes {
		if class == "" || strings.ContainsAny(class, " \t\r\n") {
			return bad("claims asks for an acr that is not valid")
		}
	}
	joined := strings.Join(classes, " ")
	if a.ACREssential = asked.IDToken.ACR.Essential; !a.ACREssential && a.ACRValues != "" {
		joined = a.ACRValues + " " + joined
	}
	if len(joined) > maxHint {
		return bad("claims asks for too many values of acr")
	}
	a.ACRValues = joined
	return nil
}

package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func parseResponseModes(d *caddyfile.Dispenser, c *ClientConfig) error {
	if err := someWords(d, &c.ResponseModes); err != nil {
		return err
	}
	for _, mode := range c.ResponseModes {
		if known := client.ResponseModes(); !slices.Contains(known, mode) {
			return d.Errf("response_modes: %q is not query, fragment or form_post%s", mode, didYouMean(mode, known))
		}
	}
	return nil
}

func parseAlgorithm(d *caddyfile.Dispenser, alg *string) error {
	option := d.Val()
	if err := oneArg(d, alg); err != nil {
		return err
	}
	if known := client.Algorithms(); !slices.Contains(known, *alg) {
		return d.Errf("%s must be ES256, EdDSA or RS256, not %q%s", option, *alg, didYouMean(*alg, known))
	}
	return nil
}

func parseAssertionAudience(d *caddyfile.Dispenser, c *ClientConfig) error {
	if err := oneArg(d, &c.AssertionAudience); err != nil {
		return err
	}
	if known := client.AssertionAudiences(); !slices.Contains(known, c.AssertionAudience) {
		return d.Errf("assertion_audience must be issuer or token_endpoint, not %q%s", c.AssertionAudience, didYouMean(c.AssertionAudience, known))
	}
	return nil
}

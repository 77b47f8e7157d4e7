package flows_test

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// What the table of grants offers, the token endpoint serves: a row without its file
// would be in discovery and answer unsupported_grant_type.
func TestGrants_WhatIsOfferedIsServed(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	batch := app{t, w.world, "batch", batchSecret}
	for _, grant := range client.Grants() {
		got := batch.send(url.Values{"grant_type": {grant.Type}})
		if code := got.text("error"); code == "unsupported_grant_type" || code == "" && got.text("access_token") == "" {
			t.Errorf("%s: %d %v", grant.Type, got.status, got.body)
		}
	}
}

package openid_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

func TestProviderIsDiscoverable(t *testing.T) {
	p := openid.Start(t, "http://localhost/callback")
	if _, err := oidc.NewProvider(t.Context(), p.Issuer); err != nil {
		t.Fatal(err)
	}
	if n := p.Requests("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("discovery was asked for %d times, want once", n)
	}
}

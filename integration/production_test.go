package integration_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// production is caddyfiles/production.Caddyfile with the tests' upstreams and
// users.
func production(t testing.TB) string {
	t.Helper()
	return example(t, "production.Caddyfile")
}

// productionEnv is what production.Caddyfile asks the environment for, beside
// the stores and the secret.
func productionEnv(t testing.TB) []string {
	t.Helper()
	return nil
}

// productionSites are the origins of its guarded sites.
func productionSites(t testing.TB) []string {
	t.Helper()
	return []string{"https://app.localhost", "https://wiki.localhost"}
}

// awaitCertificates waits until the node has its certificates, which it makes
// after it says that it serves.
func awaitCertificates(t testing.TB, n *gateway.Node) {
	t.Helper()
	await(t, 30*time.Second, "certificates", func() bool { return len(n.RootCAs().Subjects()) > 0 }) //nolint:staticcheck // a pool of one's own
}

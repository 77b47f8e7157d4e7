// Package oauth tests the authorization server of the built gateway with the
// clients that people use: golang.org/x/oauth2 with go-oidc, zitadel/oidc's
// relying party and resource server, openid-client and oauth4webapi from the
// npm registry, and an application that knows no more than Grafana's "generic
// OAuth". None of them is told that it speaks to Gatehouse.
//
// The tests whose names begin with Refusal send what no honest client sends.
package oauth

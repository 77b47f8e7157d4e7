// Package clients tests the built gateway with applications that people run: web
// applications with openid-client 5, express-openid-connect, passport-openidconnect
// and @auth/core, pages with oidc-client-ts and oidc-spa in Chromium, a script with
// Authlib, and Apache with mod_auth_openidc; and, where GATEHOUSE_TEST_OAUTH2_PROXY
// names it, oauth2-proxy. Each has the block of a client that the documentation begins
// with: an id, a secret and a redirect URI.
//
// All share one gateway and its issuer.
package clients

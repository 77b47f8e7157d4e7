// Package client is what the authorization server knows of the programs that
// ask it for tokens: their redirect URIs, grants, scopes and audiences, and how
// they prove who they are.
package client

// Package gatehouse adds Gatehouse to a Caddy build:
//
//	xcaddy build --with github.com/gatehouse-auth/gatehouse
//
// It only registers the modules of package caddymodule.
package gatehouse

import (
	_ "github.com/gatehouse-auth/gatehouse/caddymodule"
)

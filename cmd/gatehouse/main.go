// Command gatehouse is Caddy with its standard modules and Gatehouse.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-auth/gatehouse"
)

func main() { caddycmd.Main() }

// Command gatehouse is Caddy with its standard modules and Gatehouse. It takes
// the verbs of `caddy gatehouse` directly as well: gatehouse sessions list.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/spf13/cobra"

	_ "github.com/gatehouse-auth/gatehouse"
	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

func main() {
	var some *cobra.Command // some command, to find the others from
	for _, verb := range caddymodule.Verbs() {
		configure := verb.CobraFunc
		verb.CobraFunc = func(cmd *cobra.Command) {
			configure(cmd)
			some = cmd
		}
		caddycmd.RegisterCommand(verb)
	}
	cobra.OnInitialize(func() { adviseOnPorts(some.Root()) })
	caddycmd.Main()
}

// Command gatehouse is Caddy with its standard modules and Gatehouse. It takes
// the verbs of `caddy gatehouse` directly as well: gatehouse sessions list.
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/spf13/cobra"

	_ "github.com/gatehouse-auth/gatehouse"
	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

const description = `Gatehouse signs people and programs in, in front of any web application. It is
the Caddy web server with one more module, and takes Caddy's commands as well.

To try it in a clone of its repository, and to check and run a configuration:

	gatehouse run --config caddyfiles/quickstart.Caddyfile
	gatehouse doctor --config Caddyfile
	gatehouse run --config Caddyfile

Beside a gateway that runs:

	gatehouse doctor                    what is wrong, and what to register at providers
	gatehouse sessions list --all       who is and was signed in
	gatehouse client new ID             a block for an application's Caddyfile
`

func main() {
	caddy.CustomBinaryName = "gatehouse" // what help calls this program
	caddy.CustomLongDescription = description
	paceCollector()
	var some *cobra.Command // some command, to find the others from
	for _, verb := range caddymodule.Verbs() {
		configure := verb.CobraFunc
		verb.CobraFunc = func(cmd *cobra.Command) {
			configure(cmd)
			some = cmd
		}
		caddycmd.RegisterCommand(verb)
	}
	cobra.OnInitialize(func() { advise(some.Root()) })
	caddycmd.Main()
}

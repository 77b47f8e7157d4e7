package caddymodule

import (
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "gatehouse",
		Usage: "<verb>",
		Short: "Looks after Gatehouse: its sessions, stores and providers",
		Long: `
Looks after Gatehouse. The verbs about sessions, agents, subjects, tokens and keys, explain, and doctor
without --config, ask the running server by its admin API; migrate works on the stores of a
configuration; client and pages need neither.`,
		CobraFunc: func(cmd *cobra.Command) {
			var children []*cobra.Command
			for _, verb := range Verbs() {
				child := &cobra.Command{Use: verb.Name + " " + verb.Usage, Short: verb.Short, Long: verb.Long}
				verb.CobraFunc(child)
				children = append(children, child)
			}
			group(cmd, children...)
		},
	})
}

// Verbs are what the subcommand gatehouse can do. Gatehouse's own binary takes
// them directly as well.
func Verbs() []caddycmd.Command {
	return []caddycmd.Command{agentsVerb(), clientVerb(), keysVerb(), doctorVerb(), explainVerb(), pagesVerb(), sessionsVerb(), subjectsVerb(), tokensVerb(), migrateVerb()}
}

// group makes a command of its subcommands. To Cobra alone an unknown
// subcommand is a wish for help, and a success.
func group(cmd *cobra.Command, children ...*cobra.Command) {
	cmd.AddCommand(children...)
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownSubcommand(cmd, args[0])
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd.Flags().NArg() > 0 {
			return unknownSubcommand(cmd, cmd.Flags().Arg(0)) // its flags are not what is wrong
		}
		return fmt.Errorf("%w; say first what to do: %s %s", err, cmd.Name(), strings.Join(subcommands(cmd), ", "))
	})
}

func unknownSubcommand(cmd *cobra.Command, word string) error {
	return fmt.Errorf("%s has no subcommand %q%s", cmd.Name(), word, didYouMean(word, subcommands(cmd)))
}

func subcommands(cmd *cobra.Command) []string {
	var names []string
	for _, child := range cmd.Commands() {
		names = append(names, child.Name())
	}
	return names
}

// runs makes a command of a function. Its errors are for a person at a terminal,
// so they do not go to Caddy's log.
func runs(cmd *cobra.Command, f func(*cobra.Command, caddycmd.Flags) error) {
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f(cmd, caddycmd.Flags{FlagSet: cmd.Flags()})
	}
}

// noArgs refuses words that would be passed over: in `tokens remove google --all`
// they would mean less than they seem to.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is too much: %s takes options only; see its --help", args[0], cmd.Name())
}

// flagError suggests the flag that was meant.
func flagError(cmd *cobra.Command, err error) error {
	word, unknown := strings.CutPrefix(err.Error(), "unknown flag: ")
	if !unknown {
		return err
	}
	var known []string
	for text := range strings.FieldsSeq(cmd.LocalFlags().FlagUsages()) {
		if strings.HasPrefix(text, "--") {
			known = append(known, text)
		}
	}
	return fmt.Errorf("%w%s", err, didYouMean(word, known))
}

func configFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "Configuration file")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply")
}

func addressFlags(cmd *cobra.Command) {
	configFlags(cmd)
	cmd.Flags().StringP("address", "", "", "Address of the administration API listener (if --config is not used)")
}

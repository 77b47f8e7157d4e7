package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The advice comes behind the error of whichever command met it, which stays as
// it was.
func TestAdvise_WrapsTheCommands(t *testing.T) {
	refused := errors.New("adapting config using caddyfile: Caddyfile:9: unrecognized directive: gatehose")
	for failure, want := range map[error]string{
		refused:                            "\nLine 9 of Caddyfile: did you mean \"gatehouse\"?\n",
		errors.New("no space on the disk"): "",
		nil:                                "",
	} {
		root := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
		cmd := &cobra.Command{Use: "validate", RunE: func(*cobra.Command, []string) error { return failure }}
		cmd.Flags().String("config", "", "")
		root.AddCommand(cmd, &cobra.Command{Use: "group"})
		advise(root)
		root.SetArgs([]string{"validate"})
		var said strings.Builder
		root.SetErr(&said)
		if err := root.Execute(); !errors.Is(err, failure) || said.String() != want {
			t.Errorf("%v: %v, and it says %q", failure, err, said.String())
		}
	}
}

package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

func pagesVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "pages",
		Usage: "<directory>",
		Short: "Writes the templates of the pages",
		Long: `
Writes the built-in templates of the pages into a directory, for the option
pages { templates <directory> }. Keep those that you change, with their first
line, and remove the others: a start and a reload then warn when the original of
one that you changed is another in a new version. Files that exist are kept.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = oneDirectory
			runs(cmd, func(cmd *cobra.Command, fl caddycmd.Flags) error { return cmdPages(cmd, fl.Arg(0)) })
		},
	}
}

func oneDirectory(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("pages takes one directory, such as /etc/gatehouse/pages")
	}
	return nil
}

func cmdPages(cmd *cobra.Command, directory string) error {
	originals, err := page.Originals()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // templates are no secrets
		return err
	}
	for name, text := range originals {
		if err := writeNew(filepath.Join(directory, name), text); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d templates are in %s. Keep those that you change.\n", len(originals), directory)
	return err
}

// writeNew writes a file that does not exist.
func writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // as above
	if os.IsExist(err) {
		return fmt.Errorf("%s exists and is kept; give an empty directory", name)
	}
	if err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return file.Close()
}

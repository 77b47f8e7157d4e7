package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func agentsVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "agents",
		Usage: "<list|end>",
		Short: "Lists or ends clients that registered themselves and that people let in",
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd, agentsList(), agentsEnd())
		},
	}
}

func agentsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list (--subject <subject> | --all)",
		Short: "Lists whom somebody let in, or everybody",
		Long: `
Lists the clients that registered themselves and that a person let in, or with --all those
that have sessions of anybody. Their names are their own word.`,
	}
	agentFlags(cmd)
	cmd.Flags().Bool("json", false, "Print JSON")
	runs(cmd, cmdAgentsList)
	return cmd
}

func agentsEnd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end --client <id> (--subject <subject> | --all)",
		Short: "Ends a client's access for somebody, or for everybody",
	}
	agentFlags(cmd)
	cmd.Flags().String("client", "", "Which client; agents list --json shows its id")
	runs(cmd, cmdAgentsEnd)
	return cmd
}

func agentFlags(cmd *cobra.Command) {
	addressFlags(cmd)
	cmd.Flags().StringP("subject", "s", "", "Whose, by subject; sessions list shows it")
	cmd.Flags().Bool("all", false, "Everybody's")
}

// agentQuery says whose agents are meant.
func agentQuery(fl caddycmd.Flags) (url.Values, error) {
	subject, all := fl.String("subject"), fl.Bool("all")
	switch {
	case (subject == "") != all:
		return nil, errors.New("say whose: either --subject SUBJECT or --all")
	case all:
		return url.Values{"all": {"true"}}, nil
	}
	return url.Values{"subject": {subject}}, nil
}

func cmdAgentsList(cmd *cobra.Command, fl caddycmd.Flags) error {
	query, err := agentQuery(fl)
	if err != nil {
		return err
	}
	body, err := askServer(fl, http.MethodGet, "/gatehouse/agents?"+query.Encode())
	if err != nil {
		return err
	}
	var page agentPage
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	switch {
	case fl.Bool("json"):
		return json.NewEncoder(cmd.OutOrStdout()).Encode(page)
	case len(page.Agents) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "There are no agents.")
		return nil
	}
	return printAgents(cmd.OutOrStdout(), page.Agents)
}

// printAgents prints a table. What an agent says of itself is a stranger's word on this
// terminal.
func printAgents(w io.Writer, agents []AgentInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "NAME\tHOST\tSUBJECT\tRESOURCES\tSESSIONS\tLAST USED\tCLIENT"); err != nil {
		return err
	}
	for _, a := range agents {
		used := "-"
		if a.LastUsed != nil {
			used = a.LastUsed.Local().Format(time.DateTime)
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", headerValue(a.Name), headerValue(a.Host), headerValue(a.Subject),
			headerValue(strings.Join(a.Resources, " ")), a.Sessions, used, shortID(a.ClientID)); err != nil {
			return err
		}
	}
	return table.Flush()
}

// shortID is a client's id in a table: one that holds a registration is long.
func shortID(id string) string {
	const most = 40
	id = headerValue(id)
	if len(id) > most {
		return id[:most] + "…"
	}
	return id
}

func cmdAgentsEnd(cmd *cobra.Command, fl caddycmd.Flags) error {
	query, err := agentQuery(fl)
	if err != nil {
		return err
	}
	if fl.String("client") == "" {
		return errors.New("say which: --client ID; agents list --json shows it")
	}
	query.Set("client_id", fl.String("client"))
	if _, err := askServer(fl, http.MethodPost, "/gatehouse/end-agent?"+query.Encode()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "The client's access has ended.")
	return err
}

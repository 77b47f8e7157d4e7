package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func subjectsVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "subjects",
		Usage: "<show|link|unlink|suspend|resume>",
		Short: "Shows people, links identities to them, and keeps them out",
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd, subjectsShow(),
				subjectsIdentity("link", "Lets an identity at a provider belong to a subject", "Linked."),
				subjectsIdentity("unlink", "Takes an identity from a subject, with its token and sessions; never the last one", "Unlinked."),
				subjectsState("suspend", "Keeps a subject out: its sessions and tokens are refused by all nodes", "Suspended."),
				subjectsState("resume", "Lets a subject in again", "Resumed."))
		},
	}
}

func subjectFlag(cmd *cobra.Command) {
	addressFlags(cmd)
	cmd.Flags().StringP("subject", "s", "", "The subject; sessions list shows it")
}

func subjectsShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show --subject <subject>", Short: "Shows a subject, its identities, and who may act for it while it is away"}
	subjectFlag(cmd)
	cmd.Flags().Bool("json", false, "Print JSON")
	runs(cmd, cmdSubjectsShow)
	return cmd
}

func subjectsIdentity(verb, short, done string) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " --subject <subject> --provider <name> --id <id>", Short: short}
	subjectFlag(cmd)
	cmd.Flags().String("provider", "", "The provider's name")
	cmd.Flags().String("id", "", "What the provider calls the account: its sub; at GitHub the number")
	runs(cmd, func(cmd *cobra.Command, fl caddycmd.Flags) error {
		return changeSubject(cmd, fl, verb, done, "subject", "provider", "id")
	})
	return cmd
}

func subjectsState(verb, short, done string) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " --subject <subject>", Short: short}
	subjectFlag(cmd)
	runs(cmd, func(cmd *cobra.Command, fl caddycmd.Flags) error {
		return changeSubject(cmd, fl, verb, done, "subject")
	})
	return cmd
}

func changeSubject(cmd *cobra.Command, fl caddycmd.Flags, verb, done string, names ...string) error {
	query, err := subjectQuery(fl, names...)
	if err != nil {
		return err
	}
	if _, err := askServer(fl, http.MethodPost, "/gatehouse/"+verb+"?"+query.Encode()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
	return err
}

func subjectQuery(fl caddycmd.Flags, names ...string) (url.Values, error) {
	query := url.Values{}
	for _, name := range names {
		value := fl.String(name)
		if value == "" {
			return nil, fmt.Errorf("--%s is missing", name)
		}
		query.Set(name, value)
	}
	return query, nil
}

func cmdSubjectsShow(cmd *cobra.Command, fl caddycmd.Flags) error {
	query, err := subjectQuery(fl, "subject")
	if err != nil {
		return err
	}
	body, err := askServer(fl, http.MethodGet, "/gatehouse/subject?"+query.Encode())
	if err != nil {
		return err
	}
	if fl.Bool("json") {
		_, err := cmd.OutOrStdout().Write(body)
		return err
	}
	var info SubjectInfo
	if err := json.Unmarshal(body, &info); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return printSubject(cmd.OutOrStdout(), info)
}

func printSubject(w io.Writer, info SubjectInfo) error {
	state := "active"
	if info.SuspendedAt != nil {
		state = "suspended since " + info.SuspendedAt.Local().Format(time.DateTime)
	}
	if _, err := fmt.Fprintf(w, "%s, since %s, %s\n", headerValue(info.Subject), info.CreatedAt.Local().Format(time.DateTime), state); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "PROVIDER\tID"); err != nil {
		return err
	}
	for _, id := range info.Identities {
		if _, err := fmt.Fprintf(table, "%s\t%s\n", headerValue(cmp.Or(id.Provider, id.Issuer)), headerValue(id.ID)); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil || len(info.Delegations) == 0 {
		return err
	}
	return printDelegations(w, info.Delegations)
}

func printDelegations(w io.Writer, list []DelegationInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "\nCLIENT\tPROVIDER\tWHILE AWAY\tLAST USED"); err != nil {
		return err
	}
	for _, d := range list {
		says, used := "as the policy says", "never"
		switch {
		case d.ForbiddenAt != nil:
			says = "forbidden " + d.ForbiddenAt.Local().Format(time.DateTime)
		case d.AllowedAt != nil:
			says = "allowed " + d.AllowedAt.Local().Format(time.DateTime)
		}
		if d.LastUsedAt != nil {
			used = d.LastUsedAt.Local().Format(time.DateTime)
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", headerValue(d.ClientID), headerValue(cmp.Or(d.Provider, d.Issuer)), says, used); err != nil {
			return err
		}
	}
	return table.Flush()
}

package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func explainVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "explain",
		Usage: "--user <name> <url>",
		Short: "Says which rule lets somebody in at a URL, or keeps them out",
		Long: `
Asks the running server how its rules judge somebody at a URL, and prints each rule
with what it found in place of what it wants. What a provider says of somebody is
known from their latest live sign-in; local users are known without one. To find the
user all sessions are read, which takes its time where there are very many.`,
		CobraFunc: func(cmd *cobra.Command) {
			addressFlags(cmd)
			cmd.Flags().StringP("user", "u", "", "Who, by user name")
			cmd.Flags().Bool("json", false, "Print JSON")
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if len(args) != 1 {
					return errors.New("say at which URL: explain --user NAME https://app.example.com/admin")
				}
				return nil
			}
			runs(cmd, cmdExplain)
		},
	}
}

func cmdExplain(cmd *cobra.Command, fl caddycmd.Flags) error {
	user := fl.String("user")
	if user == "" {
		return errors.New("say who: --user NAME")
	}
	body, err := askServer(fl, http.MethodGet, "/gatehouse/explain?"+url.Values{"user": {user}, "url": {fl.Arg(0)}}.Encode())
	if err != nil {
		return err
	}
	if fl.Bool("json") {
		_, err := cmd.OutOrStdout().Write(body)
		return err
	}
	var answer Explanation
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	for _, p := range answer.People {
		if err := printPerson(cmd.OutOrStdout(), p, answer.URL); err != nil {
			return err
		}
	}
	return nil
}

func printPerson(w io.Writer, p ExplainedPerson, address string) error {
	verdict, known := "refused", "not signed in"
	if p.Allowed {
		verdict = "allowed"
	}
	if p.Allowed && slices.ContainsFunc(p.Requirements, func(q ExplainedRequirement) bool { return q.Missing != "" }) {
		verdict = "allowed once they have proved more"
	}
	if !p.SignedInAt.IsZero() {
		known = "signed in " + p.SignedInAt.Local().Format(time.DateTime)
	}
	// What somebody is called is somebody else's word on this terminal.
	if _, err := fmt.Fprintf(w, "%s of provider %s (%s): %s at %s\n", headerValue(p.User), p.Provider, known, verdict, headerValue(address)); err != nil {
		return err
	}
	for _, policy := range p.Policies {
		effect := ""
		switch {
		case policy.DryRun:
			effect = " (dry_run)"
		case policy.Optional:
			effect = " (optional)"
		}
		if _, err := fmt.Fprintf(w, "  %s%s: %s\n", policy.Where, effect, policy.Decision); err != nil {
			return err
		}
		for _, rule := range policy.Rules {
			line := "matches"
			if !rule.Matches {
				line = rule.Unmet + " is " + rule.Saw
			}
			if _, err := fmt.Fprintf(w, "    %s\n      %s\n", rule.Rule, line); err != nil {
				return err
			}
		}
	}
	return printBeyondRules(w, p)
}

// printBeyondRules prints what is required beside the rules, and whose tokens are taken.
func printBeyondRules(w io.Writer, p ExplainedPerson) error {
	for _, q := range p.Requirements {
		state := "met"
		if q.Missing != "" {
			state = "not met, they are asked again: " + headerValue(q.Missing)
		}
		if _, err := fmt.Fprintf(w, "  %s requires %s: %s\n", q.Where, q.Require, state); err != nil {
			return err
		}
		if len(q.Scopes) > 0 {
			if _, err := fmt.Fprintf(w, "    an access token needs the scope %s; a person who signed in at the site does not\n", strings.Join(q.Scopes, " ")); err != nil {
				return err
			}
		}
	}
	for _, t := range p.Tokens {
		state := "accepted for the audience " + strings.Join(t.Audience, " or ")
		if t.Missing != "" {
			state = "not accepted: " + t.Missing
		}
		if _, err := fmt.Fprintf(w, "  %s: tokens of provider %s are %s\n", t.Where, t.Provider, state); err != nil {
			return err
		}
	}
	return nil
}

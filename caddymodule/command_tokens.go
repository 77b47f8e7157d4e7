package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func tokensVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "tokens",
		Usage: "<list|remove>",
		Short: "Lists or removes provider tokens that are kept; their values are never shown",
		CobraFunc: func(cmd *cobra.Command) {
			list := &cobra.Command{
				Use:   "list (--subject <subject> | --provider <name> | … | --all)",
				Short: "Lists provider tokens; all conditions given must hold",
			}
			tokenFlags(list)
			list.Flags().Int("limit", 100, "How many, 1 to 1000")
			list.Flags().String("after-subject", "", "Only tokens behind this subject's")
			list.Flags().String("after-issuer", "", "… and behind this issuer's")
			runs(list, cmdTokensList)
			remove := &cobra.Command{
				Use:   "remove (--subject <subject> | --provider <name> | … | --all | --token-file <file>)",
				Short: "Removes provider tokens, and has them revoked at their providers",
				Long: `
Removes the provider tokens for which all conditions given hold, and prints what
went. They are revoked at their providers as soon as those can be reached, and no
node passes them on any more. A token that leaked is removed by its value, access
or refresh token, which is read from a file, or with - from standard input.`,
			}
			tokenFlags(remove)
			remove.Flags().String("token-file", "", "The file that holds the token to remove; -: standard input")
			runs(remove, cmdTokensRemove)
			group(cmd, list, remove)
		},
	}
}

func tokenFlags(cmd *cobra.Command) {
	addressFlags(cmd)
	cmd.Flags().StringP("subject", "s", "", "Whose tokens")
	cmd.Flags().String("provider", "", "Of which provider: its name or issuer")
	cmd.Flags().String("client-id", "", "Issued to which client id of ours")
	cmd.Flags().String("expired-before", "", "Whose refresh token had expired then, such as 2026-01-31T12:00:00Z")
	cmd.Flags().String("revoked", "", "true: only revoked ones; false: only others")
	cmd.Flags().Bool("all", false, "Everybody's")
	cmd.Flags().Bool("json", false, "Print JSON")
}

// tokenConditions are the flags that select, as the server takes them.
func tokenConditions(fl caddycmd.Flags) (url.Values, error) {
	query := url.Values{}
	for parameter, name := range map[string]string{
		"subject": "subject", "provider": "provider", "client_id": "client-id", "expired_before": "expired-before", "revoked": "revoked",
	} {
		if v := fl.String(name); v != "" {
			query.Set(parameter, v)
		}
	}
	if fl.Bool("all") {
		query.Set("all", "true")
	}
	if len(query) == 0 {
		return nil, errors.New("say which: --subject, --provider, --client-id, --expired-before, --revoked, --all")
	}
	return query, nil
}

func cmdTokensList(cmd *cobra.Command, fl caddycmd.Flags) error {
	query, err := tokenConditions(fl)
	if err != nil {
		return err
	}
	query.Set("limit", strconv.Itoa(fl.Int("limit")))
	for parameter, name := range map[string]string{"after_subject": "after-subject", "after_issuer": "after-issuer"} {
		if v := fl.String(name); v != "" {
			query.Set(parameter, v)
		}
	}
	return askTokens(cmd, fl, http.MethodGet, "/gatehouse/tokens?"+query.Encode(), nil)
}

func cmdTokensRemove(cmd *cobra.Command, fl caddycmd.Flags) error {
	query, err := tokenConditions(fl)
	file := fl.String("token-file")
	switch {
	case file == "" && err != nil:
		return fmt.Errorf("%w, --token-file", err)
	case file == "":
		return askTokens(cmd, fl, http.MethodPost, "/gatehouse/remove-tokens?"+query.Encode(), nil)
	case err == nil:
		return errors.New("--token-file says which token; no other condition goes with it")
	}
	token, err := readToken(cmd.InOrStdin(), file)
	if err != nil {
		return err
	}
	return askTokens(cmd, fl, http.MethodPost, "/gatehouse/remove-tokens", url.Values{"token": {token}})
}

// readToken reads a token, whose line may end in a newline.
func readToken(stdin io.Reader, file string) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	raw, err := io.ReadAll(io.LimitReader(stdin, maxTokenForm))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", errors.New("the token file must hold one token and nothing else")
	}
	return token, nil
}

func askTokens(cmd *cobra.Command, fl caddycmd.Flags, method, uri string, form url.Values) error {
	body, err := sendServer(fl, method, uri, form)
	if err != nil {
		return err
	}
	if fl.Bool("json") {
		_, err := cmd.OutOrStdout().Write(body)
		return err
	}
	var page tokenPage
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if len(page.Tokens) == 0 {
		none := "There are no such provider tokens. They are kept for providers with the option store_tokens."
		if fl.String("subject") != "" {
			none += " " + aboutSubjects
		}
		fmt.Fprintln(cmd.ErrOrStderr(), none)
		return nil
	}
	return printTokens(cmd.OutOrStdout(), page)
}

func printTokens(w io.Writer, page tokenPage) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "SUBJECT\tPROVIDER\tCLIENT\tSCOPE\tISSUED\tEXPIRES\tSTATE"); err != nil {
		return err
	}
	for _, t := range page.Tokens {
		name := t.Provider
		if name == "" {
			name = t.Issuer
		}
		// What providers say is somebody else's word on this terminal.
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", headerValue(t.Subject), headerValue(name), headerValue(t.ClientID),
			headerValue(t.Scope), t.IssuedAt.Local().Format(time.DateTime), t.ends(), t.state()); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil || page.Next == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "More: --after-subject %q --after-issuer %q\n", page.Next.AfterSubject, page.Next.AfterIssuer)
	return err
}

// state is what a person wants to know of a token in one word.
func (t TokenInfo) state() string {
	switch {
	case t.Unreadable:
		return "unreadable"
	case t.RefreshRevokedAt != nil:
		return "revoked"
	case t.NeedsReauth:
		return "refused"
	}
	return "good"
}

// ends is when nothing can be had of the token any more.
func (t TokenInfo) ends() string {
	switch {
	case t.RefreshExpiresAt != nil:
		return t.RefreshExpiresAt.Local().Format(time.DateTime)
	case t.ExpiresAt != nil:
		return t.ExpiresAt.Local().Format(time.DateTime)
	}
	return "never"
}

package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "gatehouse",
		Usage: "<verb>",
		Short: "Looks after Gatehouse: its sessions, stores and providers",
		Long: `
Looks after Gatehouse. The verbs about sessions and tokens, and doctor without --config,
ask the running server by its admin API; migrate works on the stores of a
configuration.`,
		CobraFunc: func(cmd *cobra.Command) {
			for _, verb := range Verbs() {
				child := &cobra.Command{Use: verb.Name + " " + verb.Usage, Short: verb.Short, Long: verb.Long}
				verb.CobraFunc(child)
				cmd.AddCommand(child)
			}
		},
	})
}

// Verbs are what the subcommand gatehouse can do. Gatehouse's own binary takes
// them directly as well.
func Verbs() []caddycmd.Command {
	return []caddycmd.Command{
		clientVerb(),
		keysVerb(),
		{
			Name:  "doctor",
			Usage: "[--config <path> [--adapter <name>]] [--address <listen>]",
			Short: "Says what is wrong, and what to register at the providers",
			Long: `
Asks the running server for its health. With --config, it checks that
configuration instead, and whether its stores can be reached. It prints the
redirect URIs that have to be registered at the providers. The exit status is
1 when something is wrong.`,
			CobraFunc: func(cmd *cobra.Command) {
				addressFlags(cmd)
				cmd.RunE = caddycmd.WrapCommandFuncForCobra(cmdDoctor)
			},
		},
		{
			Name:  "sessions",
			Usage: "<list|revoke>",
			Short: "Lists or ends sessions",
			CobraFunc: func(cmd *cobra.Command) {
				cmd.AddCommand(sessionsList(), sessionsRevoke())
			},
		},
		tokensVerb(),
		{
			Name:  "migrate",
			Usage: "--config <path> [--adapter <name>]",
			Short: "Brings the token store's schema up to date",
			Long: `
Brings the schema of a configuration's token store up to date, as the server
does when it starts, one node at a time.`,
			CobraFunc: func(cmd *cobra.Command) {
				configFlags(cmd)
				cmd.RunE = caddycmd.WrapCommandFuncForCobra(cmdMigrate)
			},
		},
	}
}

func configFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "Configuration file")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply")
}

func addressFlags(cmd *cobra.Command) {
	configFlags(cmd)
	cmd.Flags().StringP("address", "", "", "Address of the administration API listener (if --config is not used)")
}

func sessionsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list (--subject <subject> | --all) [--limit <n>] [--before <id>]",
		Short: "Lists a subject's live sessions, or with --all everybody's, ended ones included",
	}
	addressFlags(cmd)
	cmd.Flags().StringP("subject", "s", "", "Whose sessions")
	cmd.Flags().Bool("all", false, "Everybody's, ended ones included")
	cmd.Flags().Int("limit", 100, "How many, 1 to 1000")
	cmd.Flags().String("before", "", "Only sessions before this one")
	cmd.Flags().Bool("json", false, "Print JSON")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(cmdSessionsList)
	return cmd
}

func sessionsRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke (--session <id> | --subject <subject>)",
		Short: "Ends a session with the sign-in that it came from, or all of a subject's",
	}
	addressFlags(cmd)
	cmd.Flags().String("session", "", "Which session")
	cmd.Flags().StringP("subject", "s", "", "Whose sessions")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(cmdSessionsRevoke)
	return cmd
}

func cmdSessionsList(fl caddycmd.Flags) (int, error) {
	query := url.Values{"limit": {fmt.Sprint(fl.Int("limit"))}}
	for _, name := range []string{"subject", "before"} {
		if v := fl.String(name); v != "" {
			query.Set(name, v)
		}
	}
	if fl.Bool("all") {
		query.Set("all", "true")
	}
	body, err := askServer(fl, http.MethodGet, "/gatehouse/sessions?"+query.Encode())
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if fl.Bool("json") {
		_, err := os.Stdout.Write(body)
		return caddy.ExitCodeSuccess, err
	}
	var answer struct {
		Sessions []SessionInfo `json:"sessions"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("reading the server's answer: %w", err)
	}
	return caddy.ExitCodeSuccess, printSessions(os.Stdout, answer.Sessions)
}

func printSessions(w io.Writer, sessions []SessionInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "SESSION\tUSER\tSUBJECT\tCLIENT\tPROVIDER\tSEEN\tENDS"); err != nil {
		return err
	}
	for _, s := range sessions {
		ends := s.EndsAt.Local().Format(time.DateTime)
		if s.RevokedAt != nil {
			ends = "revoked " + s.RevokedAt.Local().Format(time.DateTime)
		}
		// %q-like safety: a user name is somebody else's word on this terminal.
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, headerValue(s.User), headerValue(s.Subject),
			headerValue(s.ClientID), s.Provider, s.SeenAt.Local().Format(time.DateTime), ends); err != nil {
			return err
		}
	}
	return table.Flush()
}

func cmdSessionsRevoke(fl caddycmd.Flags) (int, error) {
	query := url.Values{}
	for _, name := range []string{"subject", "session"} {
		if v := fl.String(name); v != "" {
			query.Set(name, v)
		}
	}
	if len(query) != 1 {
		return caddy.ExitCodeFailedStartup, errors.New("say what to end: either --session or --subject")
	}
	if _, err := askServer(fl, http.MethodPost, "/gatehouse/revoke?"+query.Encode()); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

// askServer asks the running server by its admin API.
func askServer(fl caddycmd.Flags, method, uri string) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, uri, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// loadConfigured provisions a configuration without starting it.
func loadConfigured(fl caddycmd.Flags) (*App, error) {
	raw, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, errors.New("no configuration: give one by --config")
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(caddy.RemoveMetaFields(raw), config); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		return nil, err
	}
	return configured(ctx)
}

func cmdMigrate(fl caddycmd.Flags) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	app, err := loadConfigured(fl)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	store, err := app.tokenStore.OpenTokenStore(ctx, app.logger)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	defer func() { _ = store.Close() }()
	if err := store.Migrate(ctx); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	report, err := store.Maintain(ctx, app.lifetime())
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if _, err := fmt.Fprintf(os.Stdout, "The token store is up to date; months of sessions ready ahead: %d.\n", report.MonthsAhead); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func sessionsVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "sessions",
		Usage: "<list|revoke>",
		Short: "Lists or ends sessions",
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd, sessionsList(), sessionsRevoke())
		},
	}
}

func sessionsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list (--user <name> | --subject <subject> | --all) [--limit <n>] [--before <id>]",
		Short: "Lists somebody's live sessions, or with --all everybody's, ended ones included",
		Long: `
Lists a user's or a subject's live sessions, or with --all everybody's; --all
includes those that have ended. A subject is the opaque and stable id of a person
(the claim sub); a user is the name that policies and upstreams know. To find a
user's sessions all are read, which takes its time where there are very many.`,
	}
	addressFlags(cmd)
	cmd.Flags().StringP("user", "u", "", "Whose sessions, by user name")
	cmd.Flags().StringP("subject", "s", "", "Whose sessions, by subject")
	cmd.Flags().Bool("all", false, "Ended ones too; alone: everybody's")
	cmd.Flags().Int("limit", 100, "How many, 1 to 1000")
	cmd.Flags().String("before", "", "Only sessions before this one")
	cmd.Flags().Bool("json", false, "Print JSON")
	runs(cmd, cmdSessionsList)
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
	runs(cmd, cmdSessionsRevoke)
	return cmd
}

// sessionPage is a page of a listing.
type sessionPage struct {
	Sessions []SessionInfo `json:"sessions"`
}

func cmdSessionsList(cmd *cobra.Command, fl caddycmd.Flags) error {
	page, err := askSessions(fl)
	if err != nil {
		return err
	}
	if fl.Bool("json") {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(page)
	}
	if len(page.Sessions) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), noSessions(fl))
		return nil
	}
	if err := printSessions(cmd.OutOrStdout(), page.Sessions); err != nil || len(page.Sessions) < fl.Int("limit") {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "More: --before %s\n", page.Sessions[len(page.Sessions)-1].ID)
	return err
}

// askSessions reads the sessions that the flags select. The server cannot select
// by user, whose name it keeps sealed; so all pages are read.
func askSessions(fl caddycmd.Flags) (sessionPage, error) {
	user, subject, all := fl.String("user"), fl.String("subject"), fl.Bool("all")
	if user == "" && subject == "" && !all {
		return sessionPage{}, errors.New("say whose: --user NAME, --subject SUBJECT, or --all")
	}
	query := url.Values{"limit": {strconv.Itoa(fl.Int("limit"))}}
	for _, name := range []string{"subject", "before"} {
		if v := fl.String(name); v != "" {
			query.Set(name, v)
		}
	}
	if all || subject == "" {
		query.Set("all", "true")
	}
	found := sessionPage{Sessions: []SessionInfo{}}
	for {
		var page sessionPage
		body, err := askServer(fl, http.MethodGet, "/gatehouse/sessions?"+query.Encode())
		if err != nil {
			return sessionPage{}, err
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return sessionPage{}, fmt.Errorf("reading the server's answer: %w", err)
		}
		for _, s := range page.Sessions {
			if user == "" || strings.EqualFold(s.User, user) && (all || s.live(time.Now())) {
				found.Sessions = append(found.Sessions, s)
			}
		}
		if len(found.Sessions) >= fl.Int("limit") {
			found.Sessions = found.Sessions[:fl.Int("limit")]
			return found, nil
		}
		if user == "" || len(page.Sessions) == 0 {
			return found, nil
		}
		query.Set("before", page.Sessions[len(page.Sessions)-1].ID.String())
		query.Set("limit", "1000")
	}
}

// live reports whether the session is good.
func (s SessionInfo) live(now time.Time) bool {
	return s.RevokedAt == nil && !s.Suspended && s.EndsAt.After(now)
}

// noSessions says why a listing may be empty.
func noSessions(fl caddycmd.Flags) string {
	user, subject := fl.String("user"), fl.String("subject")
	which := "live sessions"
	if fl.Bool("all") {
		which = "sessions"
	}
	switch {
	case user != "":
		return fmt.Sprintf("There are no %s of a user %q.", which, user)
	case subject != "":
		return fmt.Sprintf("There are no %s of a subject %q. %s", which, subject, aboutSubjects)
	}
	return "There are no sessions."
}

// aboutSubjects tells how to find one.
const aboutSubjects = "A subject is the opaque id of a person, not a name; to find it by the user name: sessions list --user NAME"

func printSessions(w io.Writer, sessions []SessionInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "SESSION\tUSER\tSUBJECT\tCLIENT\tPROVIDER\tSEEN\tENDS"); err != nil {
		return err
	}
	for _, s := range sessions {
		ends := s.EndsAt.Local().Format(time.DateTime)
		switch {
		case s.RevokedAt != nil:
			ends = "revoked " + s.RevokedAt.Local().Format(time.DateTime)
		case s.Suspended:
			ends = "suspended"
		}
		// %q-like safety: a user name is somebody else's word on this terminal.
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, headerValue(s.User), headerValue(s.Subject),
			shortID(s.ClientID), s.Provider, s.SeenAt.Local().Format(time.DateTime), ends); err != nil {
			return err
		}
	}
	return table.Flush()
}

func cmdSessionsRevoke(cmd *cobra.Command, fl caddycmd.Flags) error {
	session, subject := fl.String("session"), fl.String("subject")
	query, done := url.Values{"session": {session}}, "The session has ended, with the sign-in that it came from."
	switch {
	case (session == "") == (subject == ""):
		return errors.New("say what to end: either --session ID or --subject SUBJECT; sessions list shows both")
	case subject != "":
		query, done = url.Values{"subject": {subject}}, "All sessions of the subject have ended."
	}
	if _, err := askServer(fl, http.MethodPost, "/gatehouse/revoke?"+query.Encode()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), done)
	return err
}

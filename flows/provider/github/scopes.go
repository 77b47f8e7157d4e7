package github

import "slices"

// knownScopes are those of OAuth Apps:
// https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
var knownScopes = []string{
	"repo", "repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events",
	"admin:repo_hook", "write:repo_hook", "read:repo_hook", "admin:org", "write:org", "read:org",
	"admin:public_key", "write:public_key", "read:public_key", "admin:org_hook", "gist", "notifications",
	"user", "read:user", "user:email", "user:follow", "project", "read:project", "delete_repo",
	"write:packages", "read:packages", "delete:packages", "admin:gpg_key", "write:gpg_key", "read:gpg_key",
	"codespace", "workflow", "read:audit_log",
}

// doubts are scopes that GitHub does not know: it passes over them without a word, and
// what they were to bring is missing.
func (p *Provider) doubts() []string {
	var doubts []string
	for _, scope := range p.config.Scopes {
		if slices.Contains(knownScopes, scope) {
			continue
		}
		cure := "remove it"
		switch scope {
		case "email":
			cure = "write user:email"
		case "profile", "openid":
			cure = "write read:user"
		case "org:read", "groups":
			cure = "write read:org"
		}
		doubts = append(doubts, "GitHub has no scope "+scope+"; "+cure)
	}
	return doubts
}

package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (n *Node) caddyfile() string { return filepath.Join(n.Folder, "Caddyfile") }
func (n *Node) socket() string    { return filepath.Join(n.Folder, "admin.sock") }

func (n *Node) writeCaddyfile(text string) error {
	if err := os.WriteFile(n.caddyfile(), []byte(n.adorn(text)), 0o600); err != nil {
		return fmt.Errorf("writing the Caddyfile: %w", err)
	}
	return nil
}

// adorn adds to the global options what a test machine needs: free ports, and
// no certificate authority in the system's trust store.
func (n *Node) adorn(text string) string {
	options := fmt.Sprintf("\thttp_port %d\n\thttps_port %d\n\tskip_install_trust\n", n.HTTPPort, n.HTTPSPort)
	before, after, found := cutGlobal(text)
	if !found {
		return "{\n" + options + "}\n" + text
	}
	return before + options + after
}

// cutGlobal cuts a Caddyfile behind the line that opens its global options, the
// first line that is neither empty nor a comment, if it is a lone brace.
func cutGlobal(text string) (before, after string, found bool) {
	rest := text
	for rest != "" {
		line, next, _ := strings.Cut(rest, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			rest = next
		case trimmed == "{":
			return text[:len(text)-len(next)], next, true
		default:
			return "", text, false
		}
	}
	return "", text, false
}

//go:build !unix

package postgres

import "net"

// hasInput cannot tell here; a dead connection is found out in use.
func hasInput(net.Conn) bool { return false }

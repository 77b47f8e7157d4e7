//go:build unix

package postgres

import (
	"crypto/tls"
	"net"
	"syscall"
)

// hasInput reports whether an idle connection has something to read: that the
// server closed it, or says why it will. It costs one system call and does not
// block.
func hasInput(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	holder, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return true
	}
	// Control and not Read: pgx may have left a read of its own pending in the
	// background, which Read would wait for.
	ready := false
	err = raw.Control(func(fd uintptr) {
		var buf [1]byte
		_, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		ready = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return ready || err != nil
}

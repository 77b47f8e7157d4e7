package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// PublicOptions of a client for addresses that strangers choose.
type PublicOptions struct {
	// Loopback lets it connect to this machine as well, where the gateway itself is
	// reached at a loopback address.
	Loopback bool
	// Resolver of names. Default: the system's.
	Resolver *net.Resolver
}

// NewPublicClient makes a client that connects to public addresses only, whoever chose the
// URL: the address that is dialled is what is checked, so a name that resolves to another
// one the next time gains nothing. It uses no proxy, which would resolve the name for
// itself, keeps no connection, and is as [NewClient] in all else.
func NewPublicClient(o PublicOptions) *http.Client {
	c := NewClient(Options{})
	t := newTransport(Options{}, nil)
	t.Proxy = nil
	t.DisableKeepAlives = true
	dialer := &net.Dialer{Timeout: Timeout, Resolver: o.Resolver, Control: func(_, address string, _ syscall.RawConn) error {
		if isPublic(address) || o.Loopback && isLoopbackAddress(address) {
			return nil
		}
		return fmt.Errorf("the address %s is not public", address)
	}}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}
	t.TLSHandshakeTimeout = 5 * time.Second
	c.Transport = cappedTransport{next: t}
	return c
}

func isLoopbackAddress(address string) bool {
	addr, err := netip.ParseAddrPort(address)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/idna"
)

// reach keeps a provider's metadata from leading us into our own network. Their
// endpoints may be at any host, but at a private address only where the issuer is at
// one, too. The address that counts is the one that is connected to: a name can
// resolve to any.
type reach struct {
	home    string      // the issuer's host
	trusted []string    // hosts that the operator has chosen
	private atomic.Bool // the issuer is at a private address
}

func newReach(o Options) *reach {
	r := &reach{home: canonical(o.Issuer)}
	for _, host := range o.Trusted {
		r.trusted = append(r.trusted, canonical(host))
	}
	return r
}

// canonical is a host as it is connected to: in ASCII, where full-width digits and
// dots are what they look like (UTS #46), in lower case, without the root's dot.
func canonical(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type targetKey struct{}

// homeConn is a connection to the issuer's own host.
type homeConn struct{ net.Conn }

// learn notes where the issuer is, once its host has answered there: by TLS, it has
// shown then that it is the issuer's. Whoever answers for its name in DNS has not.
func (r *reach) learn(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if home, ok := conn.(homeConn); ok && !isPublic(home.RemoteAddr().String()) {
		r.private.Store(true)
	}
}

// dial connects to a host. Where a proxy is in between, the proxy is the operator's,
// and judges for itself.
func (r *reach) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	host = canonical(host)
	dialer := net.Dialer{Timeout: Timeout, KeepAlive: 30 * time.Second}
	switch target, ok := ctx.Value(targetKey{}).(string); {
	case ok && target != host: // a proxy's
	case slices.Contains(r.trusted, host):
	case host == r.home:
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return homeConn{conn}, nil
	default:
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if isPublic(address) || r.private.Load() {
				return nil
			}
			return fmt.Errorf("the provider names the host %s, which is at the private address %s while its issuer %s is not", host, address, r.home)
		}
	}
	return dialer.DialContext(ctx, network, addr)
}

// IsPrivate reports whether a host is written as an address that is not public, or
// as localhost.
func IsPrivate(host string) bool {
	host = canonical(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && !isPublicAddr(addr)
}

func isPublic(address string) bool {
	addr, err := netip.ParseAddrPort(address)
	return err == nil && isPublicAddr(addr.Addr())
}

// reserved are networks that no provider on the internet is in (RFC 6890), and those
// in which an IPv4 address is hidden in an IPv6 one.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// wellKnownNAT64 is where networks without IPv4 reach it (RFC 6052): what counts is
// the address behind.
var wellKnownNAT64 = netip.MustParsePrefix("64:ff9b::/96")

func isPublicAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if wellKnownNAT64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, network := range reserved {
		if network.Contains(addr) {
			return false
		}
	}
	return true
}

package flows

import (
	"encoding/base64"
	"net/netip"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// counterKey names a counter without telling the cache whose it is.
func (g *Gateway) counterKey(kind string, parts ...string) string {
	data := [][]byte{[]byte(kind)}
	for _, p := range parts {
		data = append(data, []byte(p))
	}
	return kind + ":" + encode(g.Keyring.MAC("counter", data...)[:18])
}

// addressKey is who an address belongs to: with IPv6 the /64, since one
// customer has all of it.
func addressKey(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

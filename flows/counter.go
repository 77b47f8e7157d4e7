package flows

import (
	"encoding/base64"
	"net/netip"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// counterKey names a counter without telling the cache whose it is. It goes by the
// oldest secret, so that the name stays when a new one is put in front, and nodes
// that change over count together.
func (g *Gateway) counterKey(kind string, parts ...string) string {
	data := [][]byte{[]byte(kind)}
	for _, p := range parts {
		data = append(data, []byte(p))
	}
	macs := g.Keyring.MACs("counter", data...)
	return kind + ":" + encode(macs[len(macs)-1][:18])
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

package web

import "net/netip"

// AddressKey is who an address belongs to: with IPv6 the /64, since one
// customer has all of it.
func AddressKey(client string) string {
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

package flows

import "encoding/base64"

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

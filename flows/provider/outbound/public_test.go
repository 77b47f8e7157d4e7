package outbound_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// names is a name server that answers with one address after the other, and then with
// the last one again.
type names struct {
	mu      sync.Mutex
	answers []string
	asked   atomic.Int64
}

func (n *names) next() netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := netip.MustParseAddr(n.answers[0])
	if len(n.answers) > 1 {
		n.answers = n.answers[1:]
	}
	return addr
}

// resolver asks n, and nobody else.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go n.serve(conn)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) serve(conn net.PacketConn) {
	buf := make([]byte, 1024)
	for {
		size, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		q := m.Questions[0]
		if q.Type == dnsmessage.TypeA {
			n.asked.Add(1)
			if addr := n.next(); addr.Is4() {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: addr.As4()}}}
			}
		}
		if packed, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// What a stranger names is not reached inside, however it is written or resolved (RFC
// 6890; OAuth Client ID Metadata Document, Security Considerations).
func TestNewPublicClient_ReachesNothingInside(t *testing.T) {
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(inside.Close)
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	for _, addr := range []string{"127.0.0.1", "127.1.2.3", "10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"} {
		n := &names{answers: []string{addr}}
		c := outbound.NewPublicClient(outbound.PublicOptions{Resolver: n.resolver(t)})
		if _, err := get(t, c, "http://agent.example:"+port+"/"); err == nil || !strings.Contains(err.Error(), "is not public") {
			t.Errorf("a name of %s: %v", addr, err)
		}
		if n.asked.Load() == 0 {
			t.Errorf("the name of %s was not asked for", addr)
		}
	}
	c := outbound.NewPublicClient(outbound.PublicOptions{})
	for _, host := range []string{"127.0.0.1", "[::1]", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "0.0.0.0", "[::]"} {
		if _, err := get(t, c, "http://"+host+":"+port+"/"); err == nil {
			t.Errorf("%s is reached", host)
		}
	}
	if reached.Load() != 0 {
		t.Error("a server inside was reached")
	}
}

// Whoever answers for a name can answer differently the next time (DNS rebinding). What is
// checked is what is connected to, each time, and a connection is not used twice.
func TestNewPublicClient_RebindingGainsNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "mine") }))
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	n := &names{answers: []string{"127.0.0.1", "10.0.0.1"}}
	c := outbound.NewPublicClient(outbound.PublicOptions{Loopback: true, Resolver: n.resolver(t)})
	if body, err := get(t, c, "http://agent.example:"+port+"/"); err != nil || body != "mine" {
		t.Fatalf("the first time: %q %v", body, err)
	}
	if _, err := get(t, c, "http://agent.example:"+port+"/"); err == nil || !strings.Contains(err.Error(), "10.0.0.1:"+port+" is not public") {
		t.Errorf("the second time: %v", err)
	}
	if n.asked.Load() != 2 {
		t.Errorf("the name was resolved %d times for two requests", n.asked.Load())
	}
}

// A proxy would resolve the name for itself, inside.
func TestNewPublicClient_UsesNoProxy(t *testing.T) {
	if outbound.HasProxy(outbound.NewPublicClient(outbound.PublicOptions{})) {
		t.Error("it asks the environment's proxy")
	}
	if !outbound.HasProxy(outbound.NewClient(outbound.Options{})) {
		t.Error("no client asks the environment's proxy")
	}
}

func TestNewPublicClient_FollowsNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	c := outbound.NewPublicClient(outbound.PublicOptions{Loopback: true})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("it answers %d", resp.StatusCode)
	}
}

package redistest

import (
	"context"
	"net"
	"strings"
	"testing"
)

// slots is how many hash slots a Redis Cluster has.
const slots = 16384

// Cluster is a Redis Cluster of three masters without replicas.
type Cluster struct {
	Nodes []*Server
}

// StartCluster starts three servers, lets them meet and gives each a third of
// the slots. It returns when all of them serve.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range 3 {
		c.Nodes = append(c.Nodes, Start(t,
			"--cluster-enabled", "yes",
			"--cluster-port", FreePort(t),
			"--cluster-node-timeout", "15000",
		))
	}
	first, firstPort, _ := net.SplitHostPort(c.Nodes[0].Addr)
	for i, node := range c.Nodes {
		client := node.Client(t)
		from, to := i*slots/len(c.Nodes), (i+1)*slots/len(c.Nodes)-1
		if err := client.ClusterAddSlotsRange(t.Context(), from, to).Err(); err != nil {
			t.Fatalf("assigning slots: %v", err)
		}
		if i == 0 {
			continue
		}
		bus := node.busPort(t, c.Nodes[0])
		if err := client.Do(t.Context(), "cluster", "meet", first, firstPort, bus).Err(); err != nil {
			t.Fatalf("joining the cluster: %v", err)
		}
	}
	for _, node := range c.Nodes {
		client := node.Client(t)
		wait(t, "the cluster to serve", func(ctx context.Context) bool {
			info, err := client.ClusterInfo(ctx).Result()
			nodes, err2 := client.ClusterNodes(ctx).Result()
			return err == nil && err2 == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, "cluster_known_nodes:3") && strings.Contains(info, "cluster_size:3") &&
				strings.Count(nodes, " connected") == len(c.Nodes) && !strings.Contains(nodes, "handshake")
		})
	}
	return c
}

// Addrs are the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, 0, len(c.Nodes))
	for _, node := range c.Nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

// busPort is the port on which other talks to its peers.
func (s *Server) busPort(t testing.TB, other *Server) string {
	t.Helper()
	for i, arg := range other.args {
		if arg == "--cluster-port" {
			return other.args[i+1]
		}
	}
	t.Fatal("server is not part of a cluster")
	return ""
}

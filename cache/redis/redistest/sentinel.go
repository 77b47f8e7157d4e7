package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// Sentinel is a master with a replica, watched by three Sentinels, two of
// which must agree.
type Sentinel struct {
	// MasterName is what the Sentinels call the master.
	MasterName string
	// Servers are the data servers: at first the master, then its replica.
	Servers []*Server
	// Sentinels are the watchers.
	Sentinels []*Server
}

// StartSentinel returns when the replica is in step and the Sentinels know of
// each other and of it.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	master := Start(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := Start(t, "--replicaof", host+" "+port)
	s := &Sentinel{MasterName: "gatehouse", Servers: []*Server{master, replica}}
	client := replica.Client(t)
	wait(t, "the replica to be in step", func(ctx context.Context) bool {
		info, err := client.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	for range 3 {
		s.Sentinels = append(s.Sentinels, startSentinel(t, s.MasterName, host, port))
	}
	for _, sentinel := range s.Sentinels {
		client := sentinelClient(t, sentinel.Addr)
		wait(t, "the Sentinels to meet", func(ctx context.Context) bool {
			others, err := client.Sentinels(ctx, s.MasterName).Result()
			replicas, err2 := client.Replicas(ctx, s.MasterName).Result()
			return err == nil && err2 == nil && len(others) == 2 && len(replicas) == 1 && replicas[0]["flags"] == "slave"
		})
	}
	return s
}

// Addrs are the Sentinels' addresses, which is what clients are given.
func (s *Sentinel) Addrs() []string {
	addrs := make([]string, 0, len(s.Sentinels))
	for _, sentinel := range s.Sentinels {
		addrs = append(addrs, sentinel.Addr)
	}
	return addrs
}

// Master is the data server that the Sentinels name as master now.
func (s *Sentinel) Master(t testing.TB) *Server {
	t.Helper()
	addr := s.masterAddr(t.Context(), sentinelClient(t, s.Sentinels[0].Addr))
	for _, server := range s.Servers {
		if server.Addr == addr {
			return server
		}
	}
	t.Fatalf("no server of ours is the master, but %q", addr)
	return nil
}

// FailOver kills the master, as kill -9 does, and returns when every Sentinel
// names the other server.
func (s *Sentinel) FailOver(t testing.TB) {
	t.Helper()
	old := s.Master(t)
	old.Kill(t)
	s.awaitOther(t, old.Addr)
}

// Switch has the Sentinels make the replica the master while the old master
// lives on, which becomes a replica and answers writes with READONLY.
func (s *Sentinel) Switch(t testing.TB) {
	t.Helper()
	old := s.Master(t)
	client := sentinelClient(t, s.Sentinels[0].Addr)
	wait(t, "the Sentinels to switch", func(ctx context.Context) bool {
		return client.Failover(ctx, s.MasterName).Err() == nil
	})
	s.awaitOther(t, old.Addr)
}

func (s *Sentinel) awaitOther(t testing.TB, old string) {
	t.Helper()
	for _, sentinel := range s.Sentinels {
		client := sentinelClient(t, sentinel.Addr)
		wait(t, "a new master", func(ctx context.Context) bool {
			addr := s.masterAddr(ctx, client)
			return addr != "" && addr != old
		})
	}
}

func (s *Sentinel) masterAddr(ctx context.Context, client *goredis.SentinelClient) string {
	addr, err := client.GetMasterAddrByName(ctx, s.MasterName).Result()
	if err != nil || len(addr) != 2 {
		return ""
	}
	return net.JoinHostPort(addr[0], addr[1])
}

// startSentinel writes the file that a Sentinel insists on rewriting.
func startSentinel(t testing.TB, name, host, port string) *Server {
	t.Helper()
	binary(t)
	s := &Server{Addr: "127.0.0.1:" + FreePort(t), dir: t.TempDir(), log: &lockedBuffer{}}
	_, own, _ := net.SplitHostPort(s.Addr)
	file := filepath.Join(s.dir, "sentinel.conf")
	config := fmt.Sprintf(`bind 127.0.0.1
port %s
dir %q
sentinel monitor %s %s %s 2
sentinel down-after-milliseconds %s 2000
sentinel failover-timeout %s 10000
`, own, s.dir, name, host, port, name, name)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatalf("writing the Sentinel's configuration: %v", err)
	}
	s.args = []string{file, "--sentinel"}
	t.Cleanup(s.end)
	s.run(t)
	return s
}

func sentinelClient(t testing.TB, addr string) *goredis.SentinelClient {
	t.Helper()
	client := goredis.NewSentinelClient(&goredis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

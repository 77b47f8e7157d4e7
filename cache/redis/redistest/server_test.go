package redistest_test

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer_KeepsItsFilesThroughKill(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	if err := server.Client(t).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if err := server.Client(t).Ping(t.Context()).Err(); err == nil {
		t.Fatal("a killed server answers")
	}
	server.Restart(t)
	if got, err := server.Client(t).Get(t.Context(), "k").Result(); err != nil || got != "v" {
		t.Fatalf("after the restart: %q, %v", got, err)
	}
}

func TestCluster_ServesEverySlot(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: cluster.Addrs()[:1]})
	defer client.Close()
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := client.Set(t.Context(), key, key, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSentinel_FailsOver(t *testing.T) {
	sentinel := redistest.StartSentinel(t)
	first := sentinel.Master(t)
	sentinel.Switch(t)
	second := sentinel.Master(t)
	if first == second {
		t.Fatal("the master is the same after a switch")
	}
}

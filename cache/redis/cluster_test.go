package redis

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// TestCluster_FollowsAMovingSlot moves a flow's slot from one node to another
// as an operator's resharding does, and uses flows at each step of it.
func TestCluster_FollowsAMovingSlot(t *testing.T) {
	cluster := redistest.StartCluster(t)
	store := open(t, Options{Addrs: cluster.Addrs()})
	ctx, stored := t.Context(), func(key string) string { return DefaultPrefix + "f:" + key }
	clients := make([]*goredis.Client, 0, len(cluster.Nodes))
	for _, node := range cluster.Nodes {
		clients = append(clients, node.Client(t))
	}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	redeem := func(key string) {
		t.Helper()
		_, err := store.RedeemFlow(ctx, key, newFlow(key).Proof, newFlow(key).Owner)
		must("RedeemFlow "+key, err)
	}
	setSlot := func(client *goredis.Client, slot int64, args ...any) {
		t.Helper()
		must("setslot", client.Do(ctx, append([]any{"cluster", "setslot", slot}, args...)...).Err())
	}

	// The tag puts all of these flows in one slot.
	for _, key := range []string{"{x}moved", "{x}staying", "{x}after"} {
		must("StartFlow", store.StartFlow(ctx, newFlow(key)))
	}
	slot, err := clients[0].ClusterKeySlot(ctx, stored("{x}moved")).Result()
	must("finding the slot", err)
	from := 0
	for i, client := range clients {
		if n := client.ClusterCountKeysInSlot(ctx, int(slot)).Val(); n > 0 {
			from = i
		}
	}
	to := (from + 1) % len(clients)
	source, target := clients[from], clients[to]
	sourceID, targetID := source.Do(ctx, "cluster", "myid").Val(), target.Do(ctx, "cluster", "myid").Val()

	setSlot(target, slot, "importing", sourceID)
	setSlot(source, slot, "migrating", targetID)
	host, port, _ := net.SplitHostPort(cluster.Nodes[to].Addr)
	must("migrating", source.Migrate(ctx, host, port, stored("{x}moved"), 0, time.Second).Err())
	redeem("{x}moved")   // by ASK, from a node that has no scripts yet
	redeem("{x}staying") // which has not moved
	must("StartFlow of a flow in a migrating slot", store.StartFlow(ctx, newFlow("{x}new")))
	for _, key := range []string{"{x}staying", "{x}after"} {
		must("migrating", source.Migrate(ctx, host, port, stored(key), 0, time.Second).Err())
	}
	for _, client := range clients {
		setSlot(client, slot, "node", targetID)
	}
	redeem("{x}after") // by MOVED
	redeem("{x}new")
	if _, err := store.RedeemFlow(ctx, "{x}moved", newFlow("").Proof, ""); !errors.Is(err, cache.ErrUsed) {
		t.Errorf("RedeemFlow again = %v", err)
	}
}

// TestCluster_TellsOfALostNode kills one of three nodes: whatever needs it is
// unavailable, soon, and back when the node is.
func TestCluster_TellsOfALostNode(t *testing.T) {
	cluster := redistest.StartCluster(t)
	store := open(t, Options{Addrs: cluster.Addrs()})
	for i := range 12 {
		if err := store.StartFlow(t.Context(), newFlow(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Nodes[1].Kill(t)
	lost := 0
	for i := range 12 {
		begin := time.Now()
		_, err := store.Flow(t.Context(), fmt.Sprint(i))
		if err != nil && !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Flow = %v", err)
		}
		if err != nil {
			lost++
		}
		if took := time.Since(begin); took > 2*(dialTimeout+ioTimeout) {
			t.Errorf("it took %v", took)
		}
	}
	if lost == 0 {
		t.Error("every flow is there with a node gone")
	}
	cluster.Nodes[1].Restart(t)
	eventually(t, "the cluster to be whole", func() bool {
		for i := range 12 {
			if err := store.StartFlow(t.Context(), newFlow(fmt.Sprint("again", i))); err != nil && !errors.Is(err, cache.ErrExists) {
				return false
			}
		}
		return true
	})
}

// TestCluster_AnnouncesWhereItIsHeard finds subscribers on the node that
// publishes, so that no announcement depends on the links between nodes.
func TestCluster_AnnouncesWhereItIsHeard(t *testing.T) {
	cluster := redistest.StartCluster(t)
	store := open(t, Options{Addrs: cluster.Addrs()})
	ears(t, store)
	for i, node := range cluster.Nodes {
		client := node.Client(t)
		subscribers := client.PubSubNumSub(t.Context(), store.channel()).Val()[store.channel()]
		// GET of a key that another node has is MOVED.
		publishes := !goredis.HasErrorPrefix(client.Get(t.Context(), DefaultPrefix+numberKey).Err(), "MOVED")
		if publishes != (subscribers == 1) {
			t.Errorf("node %d has %d subscribers; does it publish? %t", i, subscribers, publishes)
		}
	}
}

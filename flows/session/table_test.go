package session

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

// A hundred thousand live sessions are all remembered: ids fall into the shards by
// chance, and a full shard would load its sessions again and again.
func TestTable_HasRoomForAHundredThousand(t *testing.T) {
	table := newTable(DefaultMaxEntries)
	now := time.Now()
	for i := range 100_000 {
		e := &entry{id: handle.NewID(now, nil)}
		if table.put(e) != nil {
			t.Fatalf("session %d has taken the place of another", i)
		}
	}
}

package session

import "sync"

const (
	maxShards = 64
	// evictionSample is how many entries are compared to find one that was
	// not used for long. Sixteen come close to a true LRU and need no list
	// that every request would have to write to.
	evictionSample = 16
)

// table holds the entries by session id: in shards, so that requests do not
// wait for each other.
type table struct {
	shards   []shard
	perShard int
}

type shard struct {
	mu      sync.RWMutex
	entries map[sessionID]*entry
	_       [64]byte // two shards' locks never share a cache line
}

func newTable(maxEntries int) *table {
	shards := 1
	for shards < maxShards && shards*256 <= maxEntries {
		shards *= 2
	}
	t := &table{shards: make([]shard, shards), perShard: max(1, maxEntries/shards)}
	for i := range t.shards {
		t.shards[i].entries = make(map[sessionID]*entry)
	}
	return t
}

// shard is chosen by the last byte of the id, which is random in a UUIDv7.
func (t *table) shard(id *sessionID) *shard {
	return &t.shards[int(id[15])&(len(t.shards)-1)]
}

func (t *table) get(id *sessionID) *entry {
	s := t.shard(id)
	s.mu.RLock()
	e := s.entries[*id]
	s.mu.RUnlock()
	return e
}

// put adds an entry and returns the one that had to make room, if any. Entries
// that are watched never do; where all are, the table grows.
func (t *table) put(e *entry) (evicted *entry) {
	s := t.shard(&e.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, replaces := s.entries[e.id]; !replaces && len(s.entries) >= t.perShard {
		if evicted = s.leastUsed(); evicted != nil {
			delete(s.entries, evicted.id)
		}
	}
	s.entries[e.id] = e
	return evicted
}

// leastUsed looks at a few entries, which Go's map iteration picks at random.
func (s *shard) leastUsed() (least *entry) {
	looked := 0
	for _, e := range s.entries {
		if looked++; looked > evictionSample && least != nil {
			break
		}
		if e.pinned.Load() {
			continue
		}
		if least == nil || e.used.Load() < least.used.Load() {
			least = e
		}
	}
	return least
}

// remove takes this very entry out, not one that replaced it.
func (t *table) remove(e *entry) bool {
	s := t.shard(&e.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.id] != e {
		return false
	}
	delete(s.entries, e.id)
	return true
}

// all is a snapshot.
func (t *table) all() []*entry {
	out := make([]*entry, 0, t.len())
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, e := range s.entries {
			out = append(out, e)
		}
		s.mu.RUnlock()
	}
	return out
}

func (t *table) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		s.mu.RUnlock()
	}
	return n
}

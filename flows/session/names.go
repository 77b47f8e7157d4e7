package session

import "sync"

// maxNames and maxName (in bytes) bound what names remembers.
const (
	maxNames = 4096
	maxName  = 256
)

// names keeps one copy of strings that many sessions share: providers,
// issuers, clients, groups.
type names struct {
	mu    sync.RWMutex
	known map[string]string
}

// one returns a string equal to s, the same for all callers if there is room.
func (n *names) one(s string) string {
	if s == "" || len(s) > maxName {
		return s
	}
	n.mu.RLock()
	known, ok := n.known[s]
	n.mu.RUnlock()
	if ok {
		return known
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok = n.known[s]; ok {
		return known
	}
	if n.known == nil {
		n.known = make(map[string]string)
	}
	if len(n.known) < maxNames {
		n.known[s] = s
	}
	return s
}

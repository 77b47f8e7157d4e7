package session

// Stats is what a node knows of sessions, for metrics and health checks.
type Stats struct {
	// Entries are the sessions in memory.
	Entries int
	// Watched are the sessions that have streams.
	Watched int
	// Ended are the sessions that are remembered to have ended.
	Ended int
	// Owed are the revocations that the token store was not told of yet. They
	// are lost with the process: more than 0 deserves an alert.
	Owed int
	// StoreDown: the token store did not answer when it was last asked.
	StoreDown bool
}

// Stats returns the numbers as they are now.
func (m *Manager) Stats() Stats {
	s := Stats{Entries: m.table.len(), StoreDown: m.outage.on()}
	m.mu.Lock()
	s.Watched, s.Ended = len(m.watchers), len(m.endings.tombs)
	m.mu.Unlock()
	m.debts.mu.Lock()
	s.Owed = len(m.debts.owed)
	m.debts.mu.Unlock()
	return s
}

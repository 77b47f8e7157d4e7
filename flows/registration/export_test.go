package registration

// Remembered is how many documents are remembered.
func (d *Documents) Remembered() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.cached)
}

package authcode

import (
	"bytes"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// redemptions are those under way at this node.
type redemptions struct {
	mu   sync.Mutex
	here map[uuid.UUID]*meeting
}

// meeting is all who redeem one code, as long as there is somebody. Times in it are
// numbers of arrivals and departures.
type meeting struct {
	time    int
	present int
	all     []*attendance
}

// attendance is one attempt's. left is 0 while it is here.
type attendance struct {
	mark          []byte
	entered, left int
}

// enter begins the attempt of a mark. meets reports whether that of another mark has
// been here at the same time. That anybody else was does not say that it was the one
// that won: a thief can come as often as they like.
func (r *redemptions) enter(id uuid.UUID, mark []byte) (meets func(mark []byte) bool, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.here == nil {
		r.here = map[uuid.UUID]*meeting{}
	}
	m := r.here[id]
	if m == nil {
		m = &meeting{}
		r.here[id] = m
	}
	m.time++
	m.present++
	own := &attendance{mark: mark, entered: m.time}
	m.all = append(m.all, own)
	meets = func(mark []byte) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(m.all, func(a *attendance) bool {
			return a != own && (a.left == 0 || a.left > own.entered) && bytes.Equal(a.mark, mark)
		})
	}
	return meets, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		m.time++
		own.left = m.time
		if m.present--; m.present == 0 {
			delete(r.here, id)
			return
		}
		m.forget()
	}
}

// forget forgets those whom nobody who is here has met.
func (m *meeting) forget() {
	first := m.time
	for _, a := range m.all {
		if a.left == 0 {
			first = min(first, a.entered)
		}
	}
	m.all = slices.DeleteFunc(m.all, func(a *attendance) bool { return a.left != 0 && a.left < first })
}

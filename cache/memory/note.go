package memory

import (
	"bytes"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// maxNotes is the most bytes that all notes may have. A flow that finds no room for
// its own does without.
const maxNotes = 32 << 20

// notes are the flows that have one, the oldest first, some of which may be gone.
type notes struct {
	items []*item[flow]
	bytes int
}

// setNote lets a flow have a note, if there is room for it.
func (s *Store) setNote(it *item[flow], note []byte, now time.Time) {
	s.dropNote(&it.value)
	if s.notes.bytes+len(note) > maxNotes {
		return
	}
	it.value.note, it.value.noteUntil = bytes.Clone(note), now.Add(cache.NoteLife)
	s.notes.bytes += len(note)
	s.notes.items = append(s.notes.items, it)
}

func (s *Store) dropNote(f *flow) {
	s.notes.bytes -= len(f.note)
	f.note = nil
}

// expireNotes forgets the notes whose time has passed.
func (s *Store) expireNotes(now time.Time) {
	for len(s.notes.items) > 0 {
		f := &s.notes.items[0].value
		if f.note != nil && now.Before(f.noteUntil) {
			return
		}
		s.dropNote(f)
		s.notes.items[0] = nil
		s.notes.items = s.notes.items[1:]
	}
}

// remove removes a flow and its note.
func (s *Store) remove(it *item[flow]) {
	s.dropNote(&it.value)
	s.flows.remove(it)
}

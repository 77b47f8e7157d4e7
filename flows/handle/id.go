package handle

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/google/uuid"
)

// NewID makes a UUIDv7 (RFC 9562, 5.7) for a time. The twelve bits after the
// millisecond hold its fraction (6.2, method 3), so that ids of one node sort
// as they were made, to a quarter of a microsecond; 62 bits are random. If the
// source fails they are the operating system's.
//
// The library's generator reads the wall clock and keeps global state, so it
// serves neither a test's clock nor two stores in one process.
func NewID(now time.Time, random io.Reader) uuid.UUID {
	var id uuid.UUID
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, id[8:]); err != nil {
		_, _ = rand.Read(id[8:])
	}
	nanos := now.UnixNano()
	millis, rest := nanos/int64(time.Millisecond), nanos%int64(time.Millisecond)
	fraction := uint16(rest * 4096 / int64(time.Millisecond))
	binary.BigEndian.PutUint64(id[:8], uint64(millis)<<16|uint64(fraction&0x0fff))
	id[6] |= 0x70             // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id
}

package redis

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// messageVersion begins every announcement; one of another version is not
// understood, and counts as missed.
const messageVersion = 1

var errMessage = errors.New("announcement is malformed")

// encode makes version | n | n×16 bytes | n | n×(length | bytes) | the same
// again, with unsigned varints for all numbers.
func encode(a cache.Announcement) []byte {
	b := make([]byte, 0, 16+16*len(a.Sessions))
	b = append(b, messageVersion)
	b = binary.AppendUvarint(b, uint64(len(a.Sessions)))
	for _, session := range a.Sessions {
		b = append(b, session[:]...)
	}
	for _, list := range [][]string{a.Subjects, a.TokenIDs} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return b
}

// decode is the inverse of encode, for bytes from anybody.
func decode(b []byte) (cache.Announcement, error) {
	r := reader{b}
	var a cache.Announcement
	if version, ok := r.take(1); !ok || version[0] != messageVersion {
		return cache.Announcement{}, errMessage
	}
	sessions, ok := r.number(16)
	if !ok {
		return cache.Announcement{}, errMessage
	}
	for range sessions {
		id, _ := r.take(16)
		a.Sessions = append(a.Sessions, uuid.UUID(id))
	}
	for _, list := range []*[]string{&a.Subjects, &a.TokenIDs} {
		entries, ok := r.number(1)
		if !ok {
			return cache.Announcement{}, errMessage
		}
		for range entries {
			length, ok := r.number(1)
			if !ok {
				return cache.Announcement{}, errMessage
			}
			s, _ := r.take(length)
			*list = append(*list, string(s))
		}
	}
	if len(r.rest) > 0 {
		return cache.Announcement{}, errMessage
	}
	return a, nil
}

type reader struct{ rest []byte }

func (r *reader) take(n int) ([]byte, bool) {
	if n > len(r.rest) {
		return nil, false
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken, true
}

// number reads how many things of at least size bytes follow, and refuses one
// for which there are not enough bytes left.
func (r *reader) number(size int) (int, bool) {
	n, width := binary.Uvarint(r.rest)
	if width <= 0 {
		return 0, false
	}
	r.rest = r.rest[width:]
	if n > uint64(len(r.rest)/size) {
		return 0, false
	}
	return int(n), true
}

// parsePayload splits what was published: the announcement's number, a space,
// the announcement.
func parsePayload(payload string) (number uint64, a cache.Announcement, err error) {
	digits, message, found := strings.Cut(payload, " ")
	number, err = strconv.ParseUint(digits, 10, 64)
	if err != nil || !found {
		return 0, cache.Announcement{}, errMessage
	}
	a, err = decode([]byte(message))
	return number, a, err
}

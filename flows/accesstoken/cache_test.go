package accesstoken

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What a node remembers of verified tokens is bounded by their number and by what
// they take: those with many groups are forty times the size of others.
func TestBearers_AreBounded(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		groups int
		puts   int
		kept   [2]int // at least, at most
	}{
		"common": {3, 60_000, [2]int{maxTokens * 9 / 10, maxTokens}},
		"large":  {1000, 5_000, [2]int{500, 1_000}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTokens()
			groups := slices.Repeat([]string{"a-group-of-an-organisation-with-long-names"}, c.groups)
			for i := range c.puts {
				sum := sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(i)))
				b.put(sum, &Verified{Claims: &Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "somebody"}, Groups: groups}, expires: now.Add(time.Hour)}, now)
				if b.get(sum, now) == nil {
					t.Fatal("what was just verified is forgotten")
				}
			}
			bytes := 0
			for _, v := range b.known {
				bytes += v.size()
			}
			if n := len(b.known); n < c.kept[0] || n > c.kept[1] || bytes > maxTokenBytes || bytes != b.bytes {
				t.Errorf("%d tokens of %d bytes, by its own count %d", n, bytes, b.bytes)
			}
		})
	}
}

// The same token twice counts once, and what has expired makes room first.
func TestBearers_WhatExpiredMakesRoom(t *testing.T) {
	now := time.Now()
	b := newTokens()
	put := func(i int, expires time.Time) {
		b.put(sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(i))), &Verified{Claims: &Claims{}, expires: expires}, now)
	}
	put(0, now.Add(time.Hour))
	put(0, now.Add(time.Hour))
	if len(b.known) != 1 || b.bytes != (&Verified{Claims: &Claims{}}).size() {
		t.Errorf("%d tokens of %d bytes", len(b.known), b.bytes)
	}
	for i := range maxTokens {
		put(i+1, now.Add(time.Duration(i%2)*time.Hour))
	}
	// Half of them have expired; a twentieth was dropped, and of those that live a
	// hundredth at most.
	alive := 0
	for _, v := range b.known {
		if now.Before(v.expires) {
			alive++
		}
	}
	if alive < maxTokens/2*98/100 {
		t.Errorf("%d of %d that live are left", alive, maxTokens/2)
	}
}

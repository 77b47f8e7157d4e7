package redis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// FuzzParsePayload checks that nothing that is published breaks a subscriber,
// and that what is understood is understood in one way only.
func FuzzParsePayload(f *testing.F) {
	f.Add("1 " + string(encode(cache.Announcement{})))
	f.Add("18446744073709551615 " + string(encode(cache.Announcement{
		Sessions: []uuid.UUID{uuid.New(), {}}, Subjects: []string{"", "s"}, TokenIDs: []string{"\x00\xff"},
	})))
	f.Add("")
	f.Add("1")
	f.Add("-1 \x01\x00\x00\x00")
	f.Add("1 \x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, payload string) {
		_, a, err := parsePayload(payload)
		if err != nil {
			return
		}
		again, err := decode(encode(a))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

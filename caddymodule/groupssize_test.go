package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// What goes upstream can be bounded: servers refuse requests whose headers are too long
// (pomerium#1750). A group is there as a whole or not at all.
func TestGroupsSize(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("g", 100)
	for _, tt := range []struct {
		size         int
		groups, want []string
	}{
		{0, []string{long, long, long}, []string{long, long, long}},
		{303, []string{long, long, long}, []string{long, long, long}},
		{301, []string{long, long, long}, []string{long, long}},
		{256, []string{long, long, "a", "b"}, []string{long, long, "a", "b"}},
		{256, []string{strings.Repeat("%", 100), "a"}, nil},
		{256, []string{long, "x" + strings.Repeat(",", 80)}, []string{long}},
	} {
		set, err := (&Headers{GroupsSize: tt.size}).compile(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		err = set.set(h, &identity.Identity{Claims: identity.Claims{User: "alice", Groups: tt.groups}}, new(headerSlots))
		if got := h.Get("Remote-Groups"); err != nil || got != groupsValue(tt.want) || h.Get("Remote-User") != "alice" {
			t.Errorf("%d bytes of %.300q: %.300q", tt.size, tt.groups, got)
		}
	}
	if _, err := (&Headers{GroupsSize: -1}).compile(nil); err == nil {
		t.Error("a negative size is accepted")
	}
}

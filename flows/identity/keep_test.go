package identity

import (
	"fmt"
	"slices"
	"testing"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprintf("group-of-a-large-organisation-%06d", i) // 36 bytes
	}
	for _, tt := range []struct {
		name         string
		named, globs []string
		groups, want []string
		judged       []string
	}{
		{name: "all that fit", groups: []string{"b", "a", "a/b"}, want: []string{"b", "a", "a/b"}},
		{name: "all by a glob", globs: []string{"*"}, groups: []string{"b", "a/b"}, want: []string{"b", "a/b"}},
		{
			name: "globs and those that rules name", named: []string{"contractors", "absent", "absent"}, globs: []string{"staff-*", "*.eu", "admins"},
			groups: []string{"x", "staff-a", "contractors", "staff/b", "b.eu", "b.eux", "admins", "badmins", "staff-\n"},
			want:   []string{"contractors", "staff-a", "b.eu", "admins", "staff-\n"}, judged: []string{"absent"},
		},
		{name: "nothing is an expression", globs: []string{"a.b", "(c"}, groups: []string{"axb", "a.b", "(c", "c"}, want: []string{"a.b", "(c"}},
		{name: "450 groups of 36 bytes, as before", groups: many[:413], want: many[:413]},
		{name: "more than fit", named: []string{many[1999], "absent"}, groups: many, want: append([]string{many[1999]}, many[:419]...), judged: []string{"absent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tt.groups)
			c := Claims{Groups: tt.groups}
			left := NewKeep(tt.named, tt.globs).Apply(&c)
			if !slices.Equal(c.Groups, tt.want) || left != len(before)-len(tt.want) || left != c.GroupsLeft || !slices.Equal(c.GroupsJudged, tt.judged) {
				t.Errorf("kept %d of %d groups (%.200q), left %d, judged %q", len(c.Groups), len(before), c.Groups, left, c.GroupsJudged)
			}
			if !slices.Equal(tt.groups, before) {
				t.Error("it has changed the groups that it was given")
			}
		})
	}
}

// A rule that is made later, about a group that may be among those left out, takes it
// for one that the user may be in.
func TestKeep_RulesOfLater(t *testing.T) {
	t.Parallel()
	c := Claims{Groups: []string{"staff", "bad", "other"}}
	NewKeep([]string{"absent", "staff"}, []string{"x-*"}).Apply(&c)
	for group, want := range map[string]bool{"staff": true, "absent": false, "bad": true, "unheard-of": true} {
		if got := c.MayBeInGroup(group); got != want {
			t.Errorf("MayBeInGroup(%s) = %t", group, got)
		}
		if got := c.InGroup(group); got != (group == "staff") {
			t.Errorf("InGroup(%s) = %t", group, got)
		}
	}
}

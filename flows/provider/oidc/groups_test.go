package oidc

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// TestGroups: each shape of a claim with groups is read as it was named, or not at
// all (oauth2-proxy#838, Zitadel's roles, Microsoft Entra's overage).
func TestGroups(t *testing.T) {
	t.Parallel()
	list := func(n int) string {
		var groups []string
		for i := range n {
			groups = append(groups, "g"+strconv.Itoa(i))
		}
		raw, _ := json.Marshal(groups)
		return string(raw)
	}
	for _, tt := range []struct {
		as, claim string
		want      string // groups with spaces between; "!" for unread
	}{
		{"", `["staff","dev"]`, "staff dev"},
		{"", `["staff","staff"]`, "staff"},
		{"", `"staff"`, "staff"},
		{"", `"/staff/dev"`, "/staff/dev"},
		{"", `[]`, ""},
		{"", `""`, ""},
		{"", `["CN=a,OU=b"]`, "CN=a,OU=b"},
		{"", `["CN=a,OU=b","[Team]"]`, "CN=a,OU=b [Team]"},
		{"", `[{"name":"contractors"}]`, "!"},
		{"", `["staff",{"name":"contractors"}]`, "!"},
		{"", `{"contractors":{}}`, "!"},
		{"", `{}`, "!"},
		{"", `7`, "!"},
		{"", `true`, "!"},
		{"", `false`, "!"},
		{"", `["staff",7]`, "!"},
		{"", `["staff",null]`, "!"},
		{"", `["staff",""]`, "!"},
		{"", `["staff",["contractors"]]`, "!"},
		{"", `[["contractors"]]`, "!"},
		{"", `"bad,other"`, "!"},
		{"", `"bad other"`, "!"},
		{"", `"bad;other"`, "!"},
		{"", `"bad|other"`, "!"},
		{"", `"bad\nother"`, "!"},
		{"", `"[\"bad\"]"`, "!"},
		{"", `"[bad]"`, "!"},
		{"", `"{\"bad\":1}"`, "!"},
		{"", `["[\"bad\"]"]`, "!"},
		{"", `["bad\u0000"]`, "!"},
		{"", `["bad "]`, "!"},
		{"", `["\ud800"]`, "!"},
		{"", "[\"\xff\"]", "!"},
		{"", `["` + strings.Repeat("g", 255) + `"]`, strings.Repeat("g", 255)},
		{"", `["` + strings.Repeat("g", 256) + `"]`, "!"},
		{"", list(25_000), "!"},

		{GroupsAsNames, `[{"name":"staff"},{"name":"dev","x":1}]`, "staff dev"},
		{GroupsAsNames, `{"name":"staff"}`, "staff"},
		{GroupsAsNames, `[]`, ""},
		{GroupsAsNames, `["staff"]`, "!"},
		{GroupsAsNames, `[{"name":"staff"},"dev"]`, "!"},
		{GroupsAsNames, `[{"Name":"staff"}]`, "!"},
		{GroupsAsNames, `[{"name":["staff"]}]`, "!"},
		{GroupsAsNames, `[{"name":7}]`, "!"},
		{GroupsAsNames, `[{"name":"bad","name":"staff"}]`, "!"},
		{GroupsAsNames, `"staff"`, "!"},
		{GroupsAsIDs, `[{"id":"a1","name":"staff"},{"id":42}]`, "a1 42"},
		{GroupsAsIDs, `[{"id":4.2}]`, "!"},
		{GroupsAsIDs, `[{"id":1e3}]`, "!"},
		{GroupsAsIDs, `[{"name":"staff"}]`, "!"},
		{GroupsAsKeys, `{"staff":{"1":"example.com"},"dev":true,"ops":[]}`, "dev ops staff"},
		{GroupsAsKeys, `{}`, ""},
		{GroupsAsKeys, `{"staff":false}`, "!"},
		{GroupsAsKeys, `{"staff":null}`, "!"},
		{GroupsAsKeys, `{"staff":"no"}`, "!"},
		{GroupsAsKeys, `{"staff":{},"staff":{}}`, "!"},
		{GroupsAsKeys, `{"":{}}`, "!"},
		{GroupsAsKeys, `["staff"]`, "!"},
		{GroupsByComma, `"staff, Domain Users,"`, "staff Domain Users"},
		{GroupsByComma, `"staff"`, "staff"},
		{GroupsByComma, `["staff","dev"]`, "staff dev"},
		{GroupsByComma, `["staff,dev"]`, "!"},
		{GroupsByComma, `"[\"bad\",\"x\"]"`, "[\"bad\" \"x\"]"},
		{GroupsBySpace, `"staff dev\tops"`, "staff dev ops"},
		{GroupsBySpace, `""`, ""},
		{GroupsBySpace, `[["staff"]]`, "!"},
	} {
		c := &identity.Claims{}
		p := &Provider{config: Config{Name: "sso", GroupsClaim: "groups", GroupsAs: tt.as, Logger: discard}}
		p.readGroups(t.Context(), c, json.RawMessage(tt.claim))
		got := strings.Join(c.Groups, " ")
		if c.IsUnread(identity.ClaimGroups) {
			got = "!" + got
		}
		if got != tt.want {
			t.Errorf("as %q, %.60s: %.60q, want %.60q", tt.as, tt.claim, got, tt.want)
		}
	}
}

// TestGroups_OfAnyTenant: where each tenant names its groups, a name says nothing
// (https://learn.microsoft.com/entra/identity-platform/optional-claims, on groups by
// their sam_account_name).
func TestGroups_OfAnyTenant(t *testing.T) {
	t.Parallel()
	const id = "9b1d7c6e-0000-4000-8000-3b1d2c7a9e55"
	for claim, known := range map[string]bool{
		`["` + id + `"]`: true, `[]`: true, `["staff"]`: false, `["` + id + `","staff"]`: false, `["{` + id + `}"]`: false,
	} {
		c := &identity.Claims{}
		p := &Provider{config: Config{Name: "entra", GroupsClaim: "groups", GroupsAreIDs: true, Logger: discard}}
		if p.readGroups(t.Context(), c, json.RawMessage(claim)); c.IsUnread(identity.ClaimGroups) == known || !known && c.Groups != nil {
			t.Errorf("%s: groups %q, unread %v", claim, c.Groups, c.Unread)
		}
	}
}

// TestGroupsElsewhere: groups that the provider announces at a place that is not
// read are not as if there were none.
func TestGroupsElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, groups, claims string
		want                 identity.Cause
	}{
		{"Entra's overage", "groups", `{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://graph.example"}}}`, identity.CauseElsewhere},
		{"aggregated beside others", "groups", `{"groups":["a"],"_claim_names":{"groups":"src1"}}`, identity.CauseElsewhere},
		{"what it is part of", "realm_access.roles", `{"_claim_names":{"realm_access":"src1"}}`, identity.CauseElsewhere},
		{"names that cannot be read", "groups", `{"_claim_names":["groups"]}`, identity.CauseElsewhere},
		{"names in a string", "groups", `{"_claim_names":"groups"}`, identity.CauseElsewhere},
		{"another claim's", "groups", `{"groups":["a"],"_claim_names":{"address":"src1"}}`, ""},
		{"none", "groups", `{"_claim_names":{"address":"src1"}}`, ""},
		{"null", "groups", `{"_claim_names":null}`, ""},
		{"there are some", "groups", `{"hasgroups":true}`, identity.CauseElsewhere},
		{"there are some, in a string", "groups", `{"hasgroups":"true"}`, identity.CauseElsewhere},
		{"there are some, and another claim's place", "groups", `{"hasgroups":true,"_claim_names":{"address":"src1"}}`, identity.CauseElsewhere},
		{"there are none", "groups", `{"hasgroups":false}`, ""},
		{"a path through a string", "realm_access.roles", `{"realm_access":"x"}`, identity.CauseShape},
		{"a path through a list", "realm_access.roles", `{"realm_access":[{"roles":["a"]}]}`, identity.CauseShape},
		{"a path through null", "realm_access.roles", `{"realm_access":null}`, ""},
		{"a path to nothing", "realm_access.roles", `{"realm_access":{}}`, ""},
		{"a path twice", "realm_access.roles", `{"realm_access":{"roles":["bad"],"roles":[]}}`, identity.CauseShape},
	} {
		for _, from := range []string{"ID token", "userinfo"} {
			s, err := parseClaims([]byte(tt.claims))
			if err != nil {
				t.Fatal(err)
			}
			said := &told{idToken: s, signed: true}
			if from == "userinfo" {
				said = &told{idToken: claimSet{}, userinfo: s}
			}
			if _, cause := said.find(tt.groups); cause != tt.want {
				t.Errorf("%s, %s: %q, want %q", tt.name, from, cause, tt.want)
			}
		}
	}
}

func FuzzGroups(f *testing.F) {
	for _, s := range []string{`["a"]`, `[{"name":"a","id":1}]`, `{"a":true,"b":{}}`, `"a, b"`, `"[\"a\"]"`, `null`, `[null]`, `{"a":1,"a":2}`, `"\ud800"`, `[[]]`} {
		for _, as := range append([]string{""}, GroupShapes...) {
			f.Add([]byte(s), as)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, as string) {
		var claim json.RawMessage
		if json.Unmarshal(raw, &claim) != nil {
			return
		}
		if as != "" && !slices.Contains(GroupShapes, as) {
			return
		}
		groups, err := readGroups(claim, as)
		if err != nil && groups != nil {
			t.Fatalf("%s as %q: some are read and some are not", raw, as)
		}
		for _, g := range groups {
			if !identity.IsGroup(g) {
				t.Fatalf("%s as %q: a rule cannot name the group %q", raw, as, g)
			}
		}
		// However it is read, no element of a list of strings is lost.
		var list []string
		if as == "" && err == nil && json.Unmarshal(claim, &list) == nil {
			for _, g := range list {
				if !slices.Contains(groups, g) {
					t.Fatalf("%s: %q is lost", raw, g)
				}
			}
		}
		again, err2 := readGroups(claim, as)
		if (err == nil) != (err2 == nil) || !cmp.Equal(groups, again) {
			t.Fatalf("%s as %q: read in two ways", raw, as)
		}
	})
}

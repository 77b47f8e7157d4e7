package flows_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
)

// manyGroups are groups of 36 bytes.
func manyGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("group-of-a-large-organisation-%06d", i)
	}
	return groups
}

// crowded is a provider whose users are in very many groups.
type crowded struct {
	provider.Redirect
	groups []string
}

func (c crowded) Exchange(ctx context.Context, cb provider.Callback) (provider.Result, error) {
	result, err := c.Redirect.Exchange(ctx, cb)
	result.Claims.Groups = c.groups
	return result, err
}

// TestKeepGroups_Many: pomerium#1750. Somebody in any number of groups can sign in; the
// provider's rules judge all of them, those that rules name are kept, and the log says
// how many were left out.
func TestKeepGroups_Many(t *testing.T) {
	for _, portal := range []bool{false, true} {
		for _, n := range []int{413, 450, 5000} {
			t.Run(fmt.Sprintf("portal %t, %d groups", portal, n), func(t *testing.T) {
				last := manyGroups(n)[n-1]
				judged := 0
				_, rp := twoWorldsWrapped(t, worldOptions{
					portal: portal,
					admit: func(c identity.Claims) bool {
						judged = max(judged, len(c.Groups)) // later only those that are kept
						return c.InGroup(last)
					},
					keep: func(string) identity.Keep { return identity.NewKeep([]string{last}, nil) },
				}, func(p provider.Redirect) provider.Provider { return crowded{p, manyGroups(n)} })
				b := newBrowser(t)
				b.get(rp.siteURL("app")+"/deep").signIn("alice", "wonderland").want(http.StatusOK, "hello alice@example.com at /deep")
				if judged != n {
					t.Errorf("the rules have seen %d of %d groups", judged, n)
				}
				var kept *identity.Identity
				for _, id := range rp.sessions.Used(time.Hour) {
					kept = id
					if !id.InGroup(last) {
						t.Errorf("a group that a rule names is not kept at %s", id.ClientID)
					}
				}
				if kept == nil || len(kept.Groups)+kept.GroupsLeft != n || (kept.GroupsLeft > 0) != (n > 420) {
					t.Fatalf("of %d groups %d are kept and %d left out", n, len(kept.Groups), kept.GroupsLeft)
				}
				logged := fmt.Sprintf("left_out=%d", kept.GroupsLeft)
				if logs := rp.logs.String(); strings.Contains(logs, logged) != (kept.GroupsLeft > 0) {
					t.Errorf("%s is not what the log says:\n%s", logged, logs)
				}
			})
		}
	}
}

// Local users' groups are those of the configuration, however many.
func TestKeepGroups_LocalUsers(t *testing.T) {
	for _, portal := range []bool{false, true} {
		w := newWorld(t, worldOptions{portal: portal, providers: func(now func() time.Time) []provider.Provider {
			p, err := local.New(local.Config{Name: "local", Now: now, Users: []local.User{
				{Name: "alice", PasswordHash: "$plain$wonderland", Comparer: plain{}, Groups: manyGroups(1000)},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return []provider.Provider{p}
		}})
		newBrowser(t).get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	}
}

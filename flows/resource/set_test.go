package resource_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/resource"
)

const origin = "https://mcp.example.com"

func set(t *testing.T, paths ...string) *resource.Set {
	t.Helper()
	all := []resource.Resource{{Sites: []string{origin, "https://*.sites.example.com"}}}
	for _, p := range paths {
		all = append(all, resource.Resource{Sites: []string{origin, "https://*.sites.example.com"}, Path: p})
	}
	s, err := resource.NewSet(all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The token of one MCP server must not open the next one behind the same gateway, also
// where they share a host and differ in path; GHSA-6h2x-4gjf-jc5w and its like passed
// "/mcp/.." for what is below /mcp.
func TestSet_Opens(t *testing.T) {
	named := set(t, "/mcp", "/mcp/admin", "/other")
	unnamed := set(t)
	for _, c := range []struct {
		set      *resource.Set
		aud, uri string
		want     bool
	}{
		{named, origin + "/mcp", "/mcp", true},
		{named, origin + "/mcp", "/mcp?x=/other", true},
		{named, origin + "/mcp", "/mcp/", true},
		{named, origin + "/mcp/", "/mcp", true},
		{named, "HTTPS://MCP.example.com:443/mcp", "/mcp/tools", true},
		{named, origin + "/mcp", "/mcp/tools/x", true},
		{named, origin + "/mcp/admin", "/mcp/admin/x", true},
		{named, origin + "/mcp/tools", "/mcp/tools/x", true},
		{named, origin, "/", true},
		{named, origin + "/", "/site", true},

		{named, origin + "/mcp", "/", false},
		{named, origin + "/mcp", "/mcp-admin", false},
		{named, origin + "/mcp", "/mcpx", false},
		{named, origin + "/mcp", "/mcp/admin", false},
		{named, origin + "/mcp/admin", "/mcp", false},
		{named, origin + "/mcp/tools", "/mcp", false},
		{named, origin + "/other", "/mcp", false},
		{named, origin, "/mcp", false},
		{named, origin + "/", "/mcp/tools", false},
		{named, origin + "/site", "/mcp", false},
		{named, "https://other.example.com/mcp", "/mcp", false},
		{named, "http://mcp.example.com/mcp", "/mcp", false},
		{named, origin + ":8443/mcp", "/mcp", false},
		{named, origin + "/mcp?x", "/mcp", false},

		// As servers may read them.
		{named, origin + "/mcp", "/mcp/..", false},
		{named, origin + "/mcp", "/mcp/../other", false},
		{named, origin + "/mcp", "/mcp/%2e%2e/other", false},
		{named, origin + "/mcp", "/mcp/..;/other", false},
		{named, origin + "/mcp", `/mcp/..\admin`, false},
		{named, origin + "/mcp", "/mcp%2f..%2fother", false},
		{named, origin + "/mcp", "/mcp//admin", false},
		{named, origin + "/mcp", "/mcp/%61dmin", false},
		{named, origin + "/mcp", "/MCP", false},
		{named, origin + "/mcp", "/mcp/ADMIN", false},
		{named, origin, "/x/../mcp", false},
		{named, origin, "//mcp", false},
		{named, origin, "/%6dcp", false},
		{named, origin, "/Mcp/x", false},
		{named, origin, "/mcp%", false},
		{named, origin, "mcp", false},
		{named, origin, "", false},

		{unnamed, origin, "/mcp", true},
		{unnamed, origin + "/", "/a/../b", true},
		{unnamed, "https://MCP.EXAMPLE.COM", "/mcp", true},
		{unnamed, origin + "/mcp", "/mcp/x", true},
		{unnamed, origin + "/mcp", "/", false},
		{unnamed, origin + "/mcp", "/mcp-admin", false},
		{unnamed, origin + "/mcp", "/mcp/../x", false},
		{nil, origin, "/mcp", true},
		{nil, "https://other.example.com", "/mcp", false},
	} {
		if got := c.set.Opens([]string{"urn:x", c.aud}, origin, c.uri); got != c.want {
			t.Errorf("a token for %s opens %q: %v", c.aud, c.uri, got)
		}
	}
	if !named.Opens([]string{"https://a.sites.example.com/mcp"}, "https://a.sites.example.com", "/mcp") ||
		named.Opens([]string{"https://a.sites.example.com"}, "https://a.sites.example.com", "/mcp") {
		t.Error("a site of many names has other resources")
	}
	// A port that is mapped on the way.
	if named.Opens([]string{origin + ":8443"}, origin+":8443", "/mcp") || !named.Opens([]string{origin + ":8443/mcp"}, origin+":8443", "/mcp") {
		t.Error("behind a port that the configuration does not know the origin's token opens a named resource")
	}
	if n := testing.AllocsPerRun(100, func() { named.Opens([]string{origin + "/mcp"}, origin, "/mcp") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSet_Find(t *testing.T) {
	named, unnamed := set(t, "/mcp"), set(t)
	for _, c := range []struct {
		set  *resource.Set
		path string
		of   string
		want bool
	}{
		{named, "", "", true},
		{named, "/mcp", "/mcp", true},
		{named, "/mcp/", "/mcp", true},
		{named, "/mcp/tools", "/mcp", true},
		{named, "/mcp-admin", "", false},
		{named, "/MCP", "/mcp", false},
		{named, "/", "", true},
		{unnamed, "/mcp", "", true},
		{unnamed, "", "", true},
	} {
		id, err := resource.ParseIdentifier(origin + c.path)
		if err != nil {
			t.Fatal(err)
		}
		found, ok := c.set.Find(id)
		if ok != c.want || found.Path != c.of {
			t.Errorf("%q is %+v, %v", c.path, found, ok)
		}
	}
}

func TestParseIdentifier(t *testing.T) {
	for in, want := range map[string]string{
		"HTTPS://MCP.Example.com:443/mcp/": origin + "/mcp",
		"https://mcp.example.com/":         origin,
		"https://mcp.example.com":          origin,
		"https://mcp.example.com:/":        origin,
		"http://mcp.example.com:80":        "http://mcp.example.com",
		"https://mcp.example.com:8443/a/b": origin + ":8443/a/b",
		"http://[::1]:3000/mcp":            "http://[::1]:3000/mcp",
		"https://mcp.example.com/Mcp":      origin + "/Mcp",
	} {
		if id, err := resource.ParseIdentifier(in); err != nil || id.String() != want {
			t.Errorf("%s is %s, %v", in, id, err)
		}
	}
	for _, in := range []string{
		"", "mcp.example.com", "/mcp", "urn:mcp", "https://", "https:///mcp", "https://u@mcp.example.com", origin + "?x", origin + "?", origin + "/mcp#x", origin + "#",
		origin + "/a//b", origin + "//", origin + "/a/../b", origin + "/.", origin + "/%6dcp", origin + "/a;b", origin + `/a\b`, origin + "/a b", origin + "/mcp\x00", origin + "/ä",
		"ftp://mcp.example.com/mcp", origin + "/mcp.", "https://mcp.example.com:x/mcp",
	} {
		if id, err := resource.ParseIdentifier(in); !errors.Is(err, resource.ErrIdentifier) {
			t.Errorf("%q is %s, %v", in, id, err)
		}
	}
}

func TestNewSet_Refuses(t *testing.T) {
	for _, path := range []string{
		"mcp", "/", "/mcp*", "/a//b", "/a/../b", "/%61", "/a b", "/a;b", "/.gatehouse", "/.gatehouse/x", "/.well-known/oauth-protected-resource/mcp",
		"/" + strings.Repeat("x", 255), "/mcp?x", "/mcp#x", "/ä",
	} {
		if _, err := resource.NewSet([]resource.Resource{{Sites: []string{origin}, Path: path}}); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
	sites := []string{origin}
	for name, all := range map[string][]resource.Resource{
		"two names": {{Sites: sites, Path: "/mcp", Name: "One"}, {Sites: sites, Path: "/mcp", Name: "Two"}},
		"case":      {{Sites: sites, Path: "/mcp"}, {Sites: sites, Path: "/MCP"}},
		"no origin": {{Sites: []string{"mcp.example.com"}, Path: "/mcp"}},
	} {
		if _, err := resource.NewSet(all); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// Guards of one site may speak of one resource.
func TestNewSet_Merges(t *testing.T) {
	sites := []string{origin}
	s, err := resource.NewSet([]resource.Resource{
		{Sites: sites, Path: "/mcp", Scopes: []string{"read"}, Providers: []resource.Provider{{Name: "github"}}},
		{Sites: sites, Path: "/mcp/", Name: "Files", Scopes: []string{"write", "read"}, Providers: []resource.Provider{{Name: "github", Scopes: []string{"repo"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, _ := s.Find(resource.Identifier{Origin: origin, Path: "/mcp"})
	if found.Name != "Files" || strings.Join(found.Scopes, " ") != "read write" || len(found.Providers) != 1 || len(found.Providers[0].Scopes) != 1 {
		t.Errorf("%+v", found)
	}
}

// Whatever somebody sends, a token opens nothing that lies, as it was sent, outside of
// its path; and what names a resource does so in one spelling.
func FuzzOpens(f *testing.F) {
	for _, seed := range []string{"/mcp", "/mcp/..", "/mcp%2f..", "/mcp-admin", "//mcp", "/x/../mcp", "/MCP", "/mcp/%2e%2e/x", `/mcp\..\x`, "/mcp;x", "/%25%32%65"} {
		f.Add(seed)
	}
	s, err := resource.NewSet([]resource.Resource{{Sites: []string{origin}, Path: "/mcp"}, {Sites: []string{origin}, Path: "/other"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		mcp, other, all := s.Opens([]string{origin + "/mcp"}, origin, uri), s.Opens([]string{origin + "/other"}, origin, uri), s.Opens([]string{origin}, origin, uri)
		if mcp && (other || all) || other && all {
			t.Errorf("tokens for two resources open %q", uri)
		}
		if mcp && (!strings.HasPrefix(strings.ReplaceAll(uri, "%", ""), "/") || s.Named(origin, uri) != "/mcp") {
			t.Errorf("a token for /mcp opens %q", uri)
		}
		if all && s.Named(origin, uri) != "" {
			t.Errorf("a token for the origin opens %q", uri)
		}
		if id, err := resource.ParseIdentifier(origin + uri); err == nil {
			if again, err := resource.ParseIdentifier(id.String()); err != nil || again != id {
				t.Errorf("%q is %v and then %v, %v", uri, id, again, err)
			}
		}
	})
}

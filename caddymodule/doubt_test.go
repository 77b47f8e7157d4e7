package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What a guard's matcher looks at and cannot read must sign in. Caddy's own
// matcher takes a query that does not parse for one that does not match.
func TestGuard_WhatAMatcherCannotReadMustSignIn(t *testing.T) {
	for i, tt := range []struct {
		matcher      string
		closed, open []string
	}{
		{
			"query action=delete",
			[]string{
				"/x?action=delete", "/x?action=delete&x=%", "/x?action=delete;", "/x?a;action=delete", "/x?action=delete&a;b", "/x?%",
				"/x?action=view&action=delete", "/x?action=%64elete", "/x?ACTION=delete", "/x?action[]=delete", "/x?action=delete&y=%ff", "/x?+action=delete",
				"/x?action=delete%20", "/x?action=%20delete", "/x?action=delete%00", "/x?action=delete%00x", "/x?action=delete%0a", "/x?action=%09delete", "/x?action=Delete", "/x?ACTION=DELETE+",
			},
			[]string{"/x", "/x?action=view", "/x?action=view&action=edit", "/x?q=delete", "/x?tag=a&tag=b", "/x?q=%C3%A9+%26", "/x;y?action=view"},
		},
		{
			"not query action=view",
			[]string{"/x", "/x?action=delete", "/x?action=view&action=delete", "/x?action=delete&action=view", "/x?action=view&action=view2", "/x?action=view&x=%", "/x?action=view;action=delete"},
			[]string{"/x?action=view", "/x?action=view&x=1&x=2"},
		},
		{
			"{\n\t\tpath /admin/*\n\t\tquery action=delete\n\t}",
			[]string{"/admin/x?action=delete&x=%", "/y/..;/admin/x?action=delete", "/y/..;/admin/x?a;b", "/admin/.?action=delete;"},
			[]string{"/x?action=delete&x=%", "/x?a;b", "/admin/x?action=view"},
		},
		{
			"{\n\t\tnot {\n\t\t\tpath /public/*\n\t\t}\n\t\tquery action=delete\n\t}",
			[]string{"/x?action=delete", "/x?a;b", "/public/..;/x?a;b"},
			[]string{"/public/x?a;b", "/public/x?action=delete", "/x?action=view"},
		},
		{
			"{\n\t\tnot {\n\t\t\tpath /public/*\n\t\t\tquery action=view\n\t\t}\n\t}",
			[]string{"/x?action=view", "/public/x?action=delete", "/public/x?action=view&x=%", "/public/..;/x?action=view"},
			[]string{"/public/x?action=view"},
		},
		{
			"{\n\t\tnot {\n\t\t\tnot query action=delete\n\t\t}\n\t}",
			[]string{"/x?action=delete", "/x?action=delete&x=%", "/x?action=view&action=delete"},
			[]string{"/x?action=view", "/x"},
		},
		{
			"`{query.action} == \"delete\"`",
			[]string{"/x?action=delete", "/x?action=delete&x=%", "/x?x;y", "/x?action=view&action=delete", "/x?action=delete&action=view", "/x?Action=delete"},
			[]string{"/x", "/x?action=view", "/x?tag=a&tag=b"},
		},
		{
			"expression `query({'action': 'delete'}) && path('/admin/*')`",
			[]string{"/admin/x?action=delete", "/admin/x?action=delete&x=%", "/admin/x?action[]=delete"},
			[]string{"/x?action=delete", "/admin/x?action=view"},
		},
		{
			"vars {http.request.uri.query.action} delete",
			[]string{"/x?action=delete", "/x?action=delete&x=%", "/x?action=view&action=delete"},
			[]string{"/x?action=view"},
		},
		{
			"`{uri}.contains(\"action=delete\")`",
			[]string{"/x?action=delete", "/x?%61ction=delete", "/x?a;b", "/x?action=%64elete"},
			[]string{"/x?action=view"},
		},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { // a folder of the matcher's name would be full of placeholders
			r := serve(t, aliceLocal, fmt.Sprintf("http://app.example.com {\n\t@closed %s\n\tgatehouse @closed\n%s}", tt.matcher, echo))
			for _, path := range tt.closed {
				if rec := r.do(request(t, "app.example.com", path)); rec.Code != http.StatusUnauthorized {
					t.Errorf("%s: %s: status %d, want 401", tt.matcher, path, rec.Code)
				}
			}
			for _, path := range tt.open {
				if rec := r.do(request(t, "app.example.com", path)); rec.Code != http.StatusOK {
					t.Errorf("%s: %s: status %d, want 200", tt.matcher, path, rec.Code)
				}
			}
		})
	}
}

// A handler before the guard judged one reading of the request.
func TestGuard_WhatAHandlerMadeOfAnAmbiguousRequestMustSignIn(t *testing.T) {
	for name, site := range map[string]string{
		"vars": "\tvars /admin/* area closed\n\t@closed vars area closed\n",
		"map":  "\tmap {path} {area} {\n\t\t~^/admin/ closed\n\t\tdefault open\n\t}\n\t@closed vars {area} closed\n",
		"CEL":  "\tmap {path} {area} {\n\t\t~^/admin/ closed\n\t\tdefault open\n\t}\n\t@closed `{area} == \"closed\"`\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, aliceLocal, "http://app.example.com {\n"+site+"\tgatehouse @closed\n"+echo+"}")
			for path, want := range map[string]int{"/admin/x": 401, "/x": 200, "/x/..;/admin/y": 401, "//x/admin/y": 401} {
				if rec := r.do(request(t, "app.example.com", path)); rec.Code != want {
					t.Errorf("%s: status %d, want %d", path, rec.Code, want)
				}
			}
		})
	}
}

// Of a header or a cookie that comes twice, servers take the first, the last, or
// both.
func TestGuard_AFieldThatComesTwiceMustSignIn(t *testing.T) {
	r := serve(t, aliceLocal, "http://header.example.com {\n\t@closed header X-Mode edit\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://absent.example.com {\n\t@closed not header X-Mode view\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://cel.example.com {\n\t@closed `{header.X-Mode} == \"edit\"`\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://cookie.example.com {\n\t@closed `{cookie.mode} == \"edit\"`\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://path.example.com {\n\t@closed {\n\t\tpath /admin/*\n\t\theader X-Mode edit\n\t}\n\tgatehouse @closed\n"+echo+"}")
	for _, tt := range []struct {
		host, headers string
		want          int
	}{
		{"header", "X-Mode: edit", 401},
		{"header", "X-Mode: view", 200},
		{"header", "X-Mode: view\nX-Mode: edit", 401},
		{"absent", "X-Mode: view", 200},
		{"absent", "X-Mode: view\nX-Mode: edit", 401},
		{"absent", "X-Mode: edit\nX-Mode: view", 401},
		{"cel", "X-Mode: view", 200},
		{"cel", "X-Mode: view\nX-Mode: edit", 401},
		{"cookie", "Cookie: mode=view; other=1; other=2", 200},
		{"cookie", "Cookie: mode=edit", 401},
		{"cookie", "Cookie: mode=view; mode=edit", 401},
		{"cookie", "Cookie: mode=view\nCookie: mode=edit", 401},
		{"cookie", "Cookie: mode=\"edit", 401},
		{"cookie", "Cookie: Mode=view; mode=edit", 401},
		{"cookie", "Cookie: MODE=view", 401},
		{"cookie", "Cookie: mode=%65dit", 401},
		{"cookie", "Cookie: m%6fde=edit", 401},
		{"cookie", "Cookie: mode=view,mode=edit", 401},
		{"cookie", "Cookie: mode=view mode=edit", 401},
		{"cookie", "Cookie: other=a,mode=edit", 401},
		{"cookie", "Cookie: mode=\"\\145dit\"", 401},
		{"cookie", "Cookie: mode=view-1_a.b~c:d/e; other=%20,\"x\\\"", 200},
		{"path", "X-Mode: view\nX-Mode: edit", 200},
	} {
		req := request(t, tt.host+".example.com", "/x")
		for line := range strings.SplitSeq(tt.headers, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Add(name, value)
		}
		if rec := r.do(req); rec.Code != tt.want {
			t.Errorf("%s, %q: status %d, want %d", tt.host, tt.headers, rec.Code, tt.want)
		}
	}
}

// What a variable was made of may be read in several ways, too.
func TestGuard_WhatAHandlerMadeOfAnUnclearQueryOrFieldMustSignIn(t *testing.T) {
	const actions = "\tmap {query.action} {act} {\n\t\tdelete yes\n\t\tdefault no\n\t}\n"
	for name, tt := range map[string]struct {
		site         string
		closed, open []string // a path and a header
	}{
		"map of a query": {
			actions + "\t@closed `{act} == \"yes\"`\n",
			[]string{"/x?action=delete", "/x?action=view&action=delete", "/x?action=view&action[]=delete", "/x?x=1;action=delete", "/x?action=view&x=%", "/x?Action=delete", "/x?action=%2564elete"},
			[]string{"/x", "/x?action=view", "/x?tag=a&tag=b", "/x?q=a%20b"},
		},
		"vars by a query": {
			"\t@delete query action=delete\n\tvars @delete act yes\n\t@closed vars act yes\n",
			[]string{"/x?action=delete", "/x?action=delete&x=%", "/x?action[]=delete"},
			[]string{"/x", "/x?action=view", "/x?tag=a&tag=b"},
		},
		"vars by not a query": {
			"\t@view not {\n\t\tnot query action=view\n\t}\n\tvars @view act view\n\t@closed not vars act view\n",
			[]string{"/x", "/x?action=view&action=delete"},
			[]string{"/x?action=view", "/x?action=view&tag=a&tag=b"},
		},
		"map of a header": {
			"\tmap {header.X-Mode} {act} {\n\t\tedit yes\n\t\tdefault no\n\t}\n\t@closed vars {act} yes\n",
			[]string{"/x X-Mode edit", "/x X-Mode view,edit"},
			[]string{"/x", "/x X-Mode view", "/x X-Other view,edit", "/x?a=b&a=c"},
		},
		"map of a cookie": {
			"\tmap {cookie.mode} {act} {\n\t\tedit yes\n\t\tdefault no\n\t}\n\t@closed vars {act} yes\n",
			[]string{"/x Cookie mode=edit", "/x Cookie mode=view;mode=edit", "/x Cookie Mode=view;mode=edit"},
			[]string{"/x", "/x Cookie mode=view;other=%20"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, aliceLocal, "http://app.example.com {\n"+tt.site+"\tgatehouse @closed\n"+echo+"}")
			ask := func(line string, want int) {
				path, field, _ := strings.Cut(line, " ")
				req := request(t, "app.example.com", path)
				if name, values, ok := strings.Cut(field, " "); ok {
					req.Header[name] = strings.Split(values, ",")
				}
				if rec := r.do(req); rec.Code != want {
					t.Errorf("%s: status %d, want %d", line, rec.Code, want)
				}
			}
			for _, line := range tt.closed {
				ask(line, http.StatusUnauthorized)
			}
			for _, line := range tt.open {
				ask(line, http.StatusOK)
			}
		})
	}
}

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

package web_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func TestOriginPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, scheme, host string
		want                  bool
	}{
		{"https://app.example.com", "https", "app.example.com", true},
		{"https://APP.example.com:443/", "https", "app.EXAMPLE.com", true},
		{"https://app.example.com", "https", "app.example.com:8443", false},
		{"https://app.example.com", "http", "app.example.com", false},
		{"https://app.example.com", "https", "app.example.com.", false},
		{"https://app.example.com.", "https", "app.example.com.", false},
		{"https://app.example.com.:8443", "https", "app.example.com.:8443", false},
		{"https://*.example.com", "https", "app.example.com", true},
		{"https://*.example.com", "https", "app.example.com.", false},
		{"https://*.example.com.", "https", "app.example.com.", false},
		{"https://*.example.com", "https", "a.b.example.com", false},
		{"https://*.example.com", "https", ".example.com", false},
		{"https://*.example.com", "https", "example.com", false},
	} {
		p, err := web.ParseOriginPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(tt.scheme, tt.host); got != tt.want {
			t.Errorf("%s matches %s://%s: %t", tt.pattern, tt.scheme, tt.host, got)
		}
	}
}

package caddymodule

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"app.example.com": "app.example.com", "APP.example.com:8443": "APP.example.com", "localhost": "localhost",
		"127.0.0.1:80": "127.0.0.1", "[::1]": "::1", "[::1]:8080": "::1", "my_app.example.com": "my_app.example.com",
		"_dmarc.example.com": "_dmarc.example.com", "xn--bcher-kva.example": "xn--bcher-kva.example", "r3---sn.example.com": "r3---sn.example.com",
		strings.Repeat("a", 63) + ".example": strings.Repeat("a", 63) + ".example",

		"": "", ".": "", ":80": "", "app.example.com.": "", "app..example.com": "", ".example.com": "", "-a.example.com": "", "a-.example.com": "", "example.com-": "",
		`"onx.example.com`: "", "<b>.example.com": "", "a'.example.com": "", "a b.example.com": "", "a%2f.example.com": "", "a/b.example.com": "", "a\\b.example.com": "",
		"a@b.example.com": "", "a,b.example.com": "", "a\x00.example.com": "", "{env.HOME}.example.com": "",
		"app．example．com": "", "app。example.com": "", "bücher.example": "", "auth.\u212aorp.test": "", // the Kelvin sign, which folds to k
		"[app.example.com]": "", "[app.example.com]:80": "", "[127.0.0.1]": "", "[::1": "", "[]": "", "::1": "", "[::1]x": "",
		"app.example.com:": "", "app.example.com:0": "", "app.example.com:080": "", "app.example.com:65536": "", "app.example.com:8x": "", "app.example.com:1:2": "",
		strings.Repeat("a", 64) + ".example": "", strings.Repeat("a.", 127) + "ab": "",
	} {
		if got := hostName(host); got != want {
			t.Errorf("hostName(%q) = %q, want %q", host, got, want)
		}
	}
}

func FuzzHostName(f *testing.F) {
	for _, host := range []string{"app.example.com:80", "[::1]:80", "a_b", "．", "\"x"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name := hostName(host)
		if name == "" {
			return
		}
		if !strings.Contains(host, name) || len(name) > 253 {
			t.Fatalf("hostName(%q) = %q", host, name)
		}
		if _, err := netip.ParseAddr(name); err == nil {
			return
		}
		for label := range strings.SplitSeq(name, ".") {
			if label == "" || strings.Trim(label, "-") != label || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
				t.Fatalf("hostName(%q) = %q", host, name)
			}
		}
	})
}

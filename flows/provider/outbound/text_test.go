package outbound_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

func TestSeconds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want int64
	}{
		{300.0, 300},
		{"300", 300},
		{int64(300), 300},
		{0.0, 0},
		{-1.0, 0},
		{1e300, 0},
		{math.NaN(), 0},
		{math.Inf(1), 0},
		{"NaN", 0},
		{"soon", 0},
		{"1e300", 0},
		{nil, 0},
		{true, 0},
		{[]any{1.0}, 0},
	} {
		if got := outbound.Seconds(tt.in); got != tt.want {
			t.Errorf("Seconds(%v) = %d, want %d", tt.in, got, tt.want)
		}
	}
}

func TestIsToken(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"abc": true, "a b~!": true, "": false, "a\nb": false, "a\x00": false, "é": false, "\x7f": false,
		strings.Repeat("x", 64<<10): true, strings.Repeat("x", 64<<10+1): false,
	} {
		if got := outbound.IsToken(s); got != want {
			t.Errorf("IsToken(%.20q) = %t", s, got)
		}
	}
}

func TestIsBearer(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"Bearer": true, "bearer": true, "BEARER": true, "": true, "mac": false, "DPoP": false, "Bearer ": false, "N_A": false} {
		if got := outbound.IsBearer(s); got != want {
			t.Errorf("IsBearer(%q) = %t", s, got)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\r\nlevel=error é\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := outbound.Printable(s)
		if len(got) > 200 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("Printable(%q) = %q", s, got)
		}
	})
}

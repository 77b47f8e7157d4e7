package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast holds the style's colours to WCAG 2.2 AA: 4.5 for text (1.4.3),
// 3 for edges of controls and for the focus (1.4.11), in both colour schemes.
func TestContrast(t *testing.T) {
	css, err := builtin.ReadFile("templates/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "\n}\n")
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, c := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "card", 7},
			{"ink", "page", 7},
			{"ink", "hover", 7},
			{"soft", "card", 4.5},
			{"soft", "page", 4.5},
			{"accent", "card", 4.5},
			{"accent", "page", 3},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-hover", 4.5},
			{"bad", "bad-tint", 4.5},
			{"bad", "card", 3},
			{"warn", "warn-tint", 4.5},
			{"good", "good-tint", 4.5},
			{"edge", "card", 3},
		} {
			front, ok1 := colours[c.front]
			back, ok2 := colours[c.back]
			if !ok1 || !ok2 {
				t.Fatalf("%s: no colour %s or %s", scheme, c.front, c.back)
			}
			if got := (math.Max(front, back) + 0.05) / (math.Min(front, back) + 0.05); got < c.least {
				t.Errorf("%s: %s on %s is %.2f, want %.1f", scheme, c.front, c.back, got, c.least)
			}
		}
	}
}

// luminance is WCAG's relative luminance of an sRGB colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

package page

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Whatever color an operator gives, people can read what is written in it and on it.
func TestColor_CanBeReadInBothSchemes(t *testing.T) {
	property := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	for n := 0; n < 1<<24; n += 40_009 {
		given := fmt.Sprintf("#%06x", n)
		style, err := accents(given)
		if err != nil {
			t.Fatal(err)
		}
		light, dark, _ := strings.Cut(style, "@media (prefers-color-scheme: dark)")
		for card, rules := range map[string]string{lightCard: light, darkCard: dark} {
			colors := map[string]color{}
			for _, m := range property.FindAllStringSubmatch(rules, -1) {
				if colors[m[1]], err = parseColor(m[2]); err != nil {
					t.Fatal(err)
				}
			}
			back, err := parseColor(card)
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string][2]color{
				"a link on the card":  {colors["accent"], back},
				"text on a button":    {colors["on-accent"], colors["accent"]},
				"text under a cursor": {colors["on-accent"], colors["accent-hover"]},
			} {
				if got := contrast(pair[0], pair[1]); got < textContrast {
					t.Errorf("%s: %s on %s has %.2f", given, what, card, got)
				}
			}
		}
	}
}

// The cards of the style sheet are those that colors are held against.
func TestColor_KnowsTheCards(t *testing.T) {
	css, err := builtin.ReadFile("templates/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !strings.Contains(light, "--card: "+lightCard+";") || !strings.Contains(dark, "--card: "+darkCard+";") {
		t.Error("the cards have other colors")
	}
}

func TestColor_ThatCanBeReadIsKept(t *testing.T) {
	style, err := accents("#0a7d5a")
	if err != nil || !strings.Contains(style, "--accent: #0a7d5a;") {
		t.Error(style, err)
	}
}

func TestColor_Mistakes(t *testing.T) {
	for _, text := range []string{"", "#", "green", "#12345", "#gggggg", "0a7d5a", "#0a7d5a; } body {", "#-1-1-1", "#+1234f", strings.Repeat("#", 1<<20)} {
		_, err := New(Options{Color: text})
		if text == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, ErrTemplate) || len(err.Error()) > 500 {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Contrasts of WCAG 2.2 AA: of text (1.4.3), and of edges and signs (1.4.11).
const textContrast = 4.5

// The colors of templates/style.css that an accent color meets.
const (
	lightCard = "#ffffff"
	darkCard  = "#191c24"
)

// color is one of sRGB; each part is from 0 to 1.
type color [3]float64

// parseColor reads a color as CSS writes it: #rgb or #rrggbb.
func parseColor(text string) (color, error) {
	hex, ok := strings.CutPrefix(text, "#")
	if ok && len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if !ok || len(hex) != 6 || err != nil {
		return color{}, fmt.Errorf("a color is written #rrggbb, such as \"#0a7d5a\", in quotes, and not %q", clipped(text))
	}
	return color{float64(n>>16&0xff) / 255, float64(n>>8&0xff) / 255, float64(n&0xff) / 255}, nil
}

func clipped(text string) string {
	text, _ = clip(text, maxName)
	return text
}

func (c color) String() string {
	part := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// mix is c with a share of other, from 0 to 1.
func (c color) mix(other color, share float64) color {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

// luminance is WCAG's relative luminance.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast of two colors, from 1 to 21.
func contrast(a, b color) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// readable is the color nearest to c, on the way to limit, that can be read on back.
func (c color) readable(back, limit color) color {
	for share := 0.0; share < 1; share += 0.02 {
		// As it will be written, since rounding may cost the last hundredth.
		if mixed, err := parseColor(c.mix(limit, share).String()); err == nil && contrast(mixed, back) >= textContrast {
			return mixed
		}
	}
	return limit
}

// accents are the style rules that give the pages an accent color. It is made darker in
// the light scheme and lighter in the dark one, as far as people need to read it.
func accents(text string) (string, error) {
	accent, err := parseColor(text)
	if err != nil {
		return "", err
	}
	black, white := color{}, color{1, 1, 1}
	onLight, err := parseColor(lightCard)
	if err != nil {
		return "", err
	}
	onDark, err := parseColor(darkCard)
	if err != nil {
		return "", err
	}
	light, dark := accent.readable(onLight, black), accent.readable(onDark, white)
	return fmt.Sprintf(`:root { --accent: %s; --accent-hover: %s; --on-accent: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --accent: %s; --accent-hover: %s; --on-accent: #10152b; }
}
`, light, light.mix(black, 0.2), dark, dark.mix(white, 0.25)), nil
}

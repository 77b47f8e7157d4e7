package page

import (
	"fmt"
	"strings"
)

// MaxCSS is the longest custom style, in bytes: it is part of every page.
const MaxCSS = 32 << 10

// style joins the built-in style, the accent color and the operator's style. Line ends
// are made what an HTML parser makes of them, or the hash would not match in a browser.
func (o Options) style() (string, error) {
	if len(o.CSS) > MaxCSS {
		return "", mistake{fmt.Errorf("custom CSS has more than the %d bytes that are allowed, because it is part of every page", MaxCSS)}
	}
	if strings.Contains(strings.ToLower(o.CSS), "</style") || strings.Contains(o.CSS, "<!--") {
		return "", fmt.Errorf("custom CSS holds HTML: %w", ErrTemplate)
	}
	if strings.ContainsRune(o.CSS, 0) {
		return "", fmt.Errorf("custom CSS holds a NUL: %w", ErrTemplate)
	}
	base, err := builtin.ReadFile("templates/style.css")
	if err != nil {
		return "", fmt.Errorf("reading built-in style: %w", err)
	}
	css := string(base)
	if o.Color != "" {
		rules, err := accents(o.Color)
		if err != nil {
			return "", mistake{fmt.Errorf("color: %w", err)}
		}
		css += rules
	}
	css += strings.ToValidUTF8(o.CSS, "\uFFFD")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(css), nil
}

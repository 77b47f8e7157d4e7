package page

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// MaxLogo is the largest logo, in bytes. It is part of every page, so that a page is
// one request and its policy allows no address.
const MaxLogo = 32 << 10

// logoURL is a logo as a data: URL. An SVG image in an <img> runs no script and loads
// nothing (SVG Integration, "secure static mode").
func logoURL(image []byte) (template.URL, error) {
	if len(image) > MaxLogo {
		return "", mistake{fmt.Errorf("the logo has more than the %d bytes that are allowed, because it is part of every page; use an SVG file or a smaller image", MaxLogo)}
	}
	kind := http.DetectContentType(image)
	switch kind {
	case "image/png", "image/jpeg", "image/webp", "image/gif":
	default:
		if !isSVG(image) {
			return "", mistake{errors.New("the logo is no SVG, PNG, JPEG, WebP or GIF image")}
		}
		kind = "image/svg+xml"
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(image)), nil //nolint:gosec // the operator's file
}

// isSVG reports whether text is XML whose first element looks like svg.
func isSVG(text []byte) bool {
	head := string(text[:min(len(text), 4<<10)])
	return strings.Contains(head, "<svg") && strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(head, "\uFEFF"), " \t\r\n"), "<")
}

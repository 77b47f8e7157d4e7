package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// PagesConfig says how the pages look that people see: sign-in, consent, their own
// page, errors.
type PagesConfig struct {
	// The name at the head of each page. Default: `Gatehouse`.
	Title string `json:"title,omitempty"`
	// An image file of at most 32 KiB in place of the built-in sign: SVG, PNG, JPEG,
	// WebP or GIF. Default: none. Accepts global placeholders.
	Logo string `json:"logo,omitempty"`
	// The color of buttons and links, as `#rrggbb`. It is made darker or lighter where
	// it could not be read. Default: a blue.
	Color string `json:"color,omitempty"`
	// A file of at most 32 KiB with rules that follow the built-in style. Default: none.
	// Accepts global placeholders.
	CSS string `json:"css,omitempty"`
	// A directory with templates in place of built-in ones of the same name;
	// `gatehouse pages` writes those. Default: none. Accepts global placeholders.
	Templates string `json:"templates,omitempty"`
	// The language of these templates, such as `de`. Default: `en`.
	Lang string `json:"lang,omitempty"`
	// Links at the foot of each page. With Terms and Privacy at most 6. Default: none.
	Links []PageLink `json:"links,omitempty"`
	// The addresses of terms of service and of a privacy policy. Default: none.
	Terms   string `json:"terms,omitempty"`
	Privacy string `json:"privacy,omitempty"`
	// Where people ask for help: an e-mail address or a URL. Default: none.
	Contact string `json:"contact,omitempty"`

	// A digest of these files when the Caddyfile was adapted, if they could be read
	// then. It makes a change of a file a change of the configuration, because Caddy
	// skips a reload of an unchanged one. Nothing else reads it.
	Digest string `json:"digest,omitempty"`
}

// PageLink is a link at the foot of each page.
type PageLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// loadPages reads what the pages are made of. A configuration whose files are missing or
// wrong is refused, so that the running one stays.
func (a *App) loadPages() error {
	options, err := a.Pages.options()
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	options.Now, options.Logger = time.Now, a.logger
	if a.pages, err = page.New(options); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}

func (c *PagesConfig) options() (o page.Options, err error) {
	if c == nil {
		return o, nil
	}
	o.Title, o.Lang, o.Color, o.Contact = c.Title, c.Lang, c.Color, c.Contact
	for _, l := range c.Links {
		o.Links = append(o.Links, page.FootLink{Title: l.Title, URL: l.URL})
	}
	if c.Terms != "" {
		o.Links = append(o.Links, page.FootLink{Title: "Terms", URL: c.Terms})
	}
	if c.Privacy != "" {
		o.Links = append(o.Links, page.FootLink{Title: "Privacy", URL: c.Privacy})
	}
	if o.Logo, err = pageFile("logo", c.Logo, page.MaxLogo); err != nil {
		return o, err
	}
	css, err := pageFile("css", c.CSS, page.MaxCSS)
	if err != nil {
		return o, err
	}
	o.CSS = string(css)
	if c.Templates != "" {
		directory, err := expand("templates", c.Templates)
		if err != nil {
			return o, err
		}
		o.Templates = os.DirFS(directory)
	}
	return o, nil
}

// pageFile reads a file, or the beginning of one that is too large: a reader further on
// says so.
func pageFile(option, name string, limit int64) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	name, err := expand(option, name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(name) //nolint:gosec // the operator's
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	return content, nil
}

// digest of the files that are read, "" if there are none or one cannot be read, which
// is told when the configuration is loaded.
func (c *PagesConfig) digest() string {
	o, err := c.options()
	if err != nil || o.Logo == nil && o.CSS == "" && o.Templates == nil {
		return ""
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%d %s %d %s", len(o.Logo), o.Logo, len(o.CSS), o.CSS) // a hash takes everything
	if o.Templates != nil {
		names, err := fs.Glob(o.Templates, "*.html")
		if err != nil {
			return ""
		}
		for _, name := range names {
			text, err := fs.ReadFile(o.Templates, path.Clean(name))
			if err != nil {
				return ""
			}
			_, _ = fmt.Fprintf(sum, " %s %d %s", name, len(text), text)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

package page

import (
	"errors"
	"fmt"
	"html/template"
	"net/mail"
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

// MaxLinks is how many links a page has at its foot.
const MaxLinks = 6

// FootLink is a link at the foot of each page.
type FootLink struct{ Title, URL string }

// sign is the built-in icon of a page, whose color is put into the middle.
var sign = [2]string{
	`data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='`,
	`' d='M2 5h3v2.5h2.5V5h3v6h11V5h3v2.5H27V5h3v23h-8.5v-6a5.5 5.5 0 0 0-11 0v6H2z'/%3E%3C/svg%3E`,
}

// dress takes over what an operator wrote for all pages.
func (r *Renderer) dress(o Options) (err error) {
	if _, err := language.Parse(r.lang); err != nil {
		return mistake{fmt.Errorf("lang %q is no language tag, such as en or pt-BR", clipped(r.lang))}
	}
	r.icon = template.URL(sign[0] + "%233a5bc7" + sign[1]) //nolint:gosec // our own
	if c, err := parseColor(o.Color); err == nil {
		r.icon = template.URL(sign[0] + "%23" + c.String()[1:] + sign[1]) //nolint:gosec // six hexadecimal digits
	}
	if len(o.Logo) > 0 {
		if r.logo, err = logoURL(o.Logo); err != nil {
			return err
		}
		r.icon = r.logo
	}
	if len(o.Links) > MaxLinks {
		return mistake{fmt.Errorf("%d links at the foot of the pages, at most %d are possible", len(o.Links), MaxLinks)}
	}
	for _, l := range o.Links {
		if err := l.check(); err != nil {
			return mistake{err}
		}
		r.links = append(r.links, FootLink{line(l.Title, maxName), l.URL})
	}
	if o.Contact != "" {
		if r.contact, err = contact(o.Contact); err != nil {
			return mistake{err}
		}
	}
	return nil
}

func (l FootLink) check() error {
	if line(l.Title, maxName) == "" {
		return errors.New("a link at the foot of the pages needs a title")
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(l.URL) > maxLine {
		return fmt.Errorf("the link %q needs an address such as https://www.example.com/terms of at most %d bytes, not %q", clipped(l.Title), maxLine, clipped(l.URL))
	}
	return nil
}

// contact reads an e-mail address, or the URL of a page or a mailbox.
func contact(text string) (FootLink, error) {
	if address, err := mail.ParseAddress(text); err == nil && address.Name == "" && len(text) <= maxLine {
		return FootLink{text, "mailto:" + url.PathEscape(text)}, nil
	}
	u, err := url.Parse(text)
	if err == nil && len(text) <= maxLine {
		switch {
		case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
			return FootLink{u.Host + strings.TrimSuffix(u.Path, "/"), text}, nil
		case u.Scheme == "mailto" && u.Opaque != "":
			return FootLink{u.Opaque, text}, nil
		}
	}
	return FootLink{}, fmt.Errorf("contact needs an e-mail address or a URL (https: or mailto:), not %q", clipped(text))
}

package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// ErrTemplate is wrapped by every error of New that an operator's template or
// style causes.
var ErrTemplate = errors.New("page template")

// mistake is such an error about an option: its text needs no further word.
type mistake struct{ error }

// Is implements [errors.Is].
func (mistake) Is(target error) bool { return target == ErrTemplate }

// Unwrap implements [errors.Unwrap].
func (m mistake) Unwrap() error { return m.error }

// Options say how the pages look. The zero value is good.
type Options struct {
	// Title is the name at the head of each page; by default "Gatehouse".
	Title string
	// Lang is the language of the replaced templates (BCP 47); by default "en".
	Lang string
	// Logo is an image of at most MaxLogo bytes that takes the place of the built-in
	// sign: SVG, PNG, JPEG, WebP or GIF.
	Logo []byte
	// Color is the accent color, as #rrggbb. It is made darker or lighter where it
	// could not be read. Default: blue.
	Color string
	// Links stand at the foot of each page, at most MaxLinks.
	Links []FootLink
	// Contact is where people ask for help: an e-mail address or a URL.
	Contact string
	// Templates replaces page templates by name: a file signin.html in its root
	// replaces the built-in one, layout.html what surrounds all. A file whose
	// name is not a template's is an error. Nil replaces none.
	Templates fs.FS
	// CSS follows the built-in style and Color. Most of it can be had by setting the
	// custom properties at the top of templates/style.css, such as --accent.
	CSS string
	// Now tells the time for "2 minutes ago"; nil shows dates only.
	Now func() time.Time
	// Logger hears of templates that fail, or that replace one that has changed; nil
	// is silent.
	Logger *slog.Logger
}

// Renderer writes pages. It is safe for concurrent use.
type Renderer struct {
	title     string
	lang      string
	logo      template.URL
	icon      template.URL
	links     []FootLink
	contact   FootLink
	css       template.CSS
	styleHash string
	pages     map[name]*template.Template
	now       func() time.Time
	log       *slog.Logger
}

// New parses the templates and tries each of them, so that a mistake in an
// operator's template is an error here and not a broken page later.
func New(o Options) (*Renderer, error) {
	css, err := o.style()
	if err != nil {
		return nil, err
	}
	r := &Renderer{
		title:     line(o.Title, maxName),
		lang:      o.Lang,
		css:       template.CSS(css), //nolint:gosec // ours and the operator's, never a request's
		styleHash: hashSource(css),
		now:       o.Now,
		log:       o.Logger,
	}
	if r.title == "" {
		r.title = "Gatehouse"
	}
	if r.lang == "" {
		r.lang = "en"
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := r.dress(o); err != nil {
		return nil, err
	}
	if r.pages, err = r.parse(o.Templates); err != nil {
		return nil, err
	}
	if err := r.try(); err != nil {
		return nil, err
	}
	for _, file := range outdated(o.Templates) {
		r.log.Warn("the original of a replaced page template has changed; take over what is new, and its first line, from `gatehouse pages DIRECTORY`", "template", file)
	}
	return r, nil
}

// view is what a template gets: the frame's data, and the page's own as .Page.
type view struct {
	Brand string
	Lang  string
	CSS   template.CSS
	Logo  template.URL // "" is the built-in sign
	Icon  template.URL
	Links []FootLink
	// Contact is where people ask for help; its URL is "" if nothing is known.
	Contact FootLink
	Page    any
}

func (r *Renderer) execute(n name, p any) (*bytes.Buffer, error) {
	buf := new(bytes.Buffer)
	buf.Grow(10 << 10)
	v := view{Brand: r.title, Lang: r.lang, CSS: r.css, Logo: r.logo, Icon: r.icon, Links: r.links, Contact: r.contact, Page: p}
	if err := r.pages[n].ExecuteTemplate(buf, layout, v); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", n, err)
	}
	return buf, nil
}

// write renders into memory first: a template that fails half way leaves no
// half page, but a plain text with status 500.
func (r *Renderer) write(w http.ResponseWriter, req *http.Request, status int, n name, p any) {
	if status < 200 || status > 599 {
		status = http.StatusOK
	}
	contentType := "text/html; charset=utf-8"
	buf, err := r.execute(n, p)
	if err != nil {
		r.log.Error("page not shown", "page", string(n), "error", err)
		status, contentType = http.StatusInternalServerError, "text/plain; charset=utf-8"
		buf = bytes.NewBufferString("This page could not be shown. The administrator finds the reason in the log.\n")
	}
	r.header(w.Header(), contentType, n)
	if n == formPost {
		w.Header().Set("Content-Security-Policy", r.formPostPolicy())
		w.Header().Del("X-Frame-Options")
	}
	if n == fault {
		// A fault has no form, and may stand at a callback's address, whose
		// code must not travel on as a Referer.
		w.Header().Set("Referrer-Policy", "no-referrer")
	}
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	if req.Method == http.MethodHead {
		return
	}
	// The client may have gone; there is nobody left to tell.
	_, _ = w.Write(buf.Bytes())
}

package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

var pageOptions = []string{"title", "logo", "color", "css", "templates", "lang", "link", "terms", "privacy", "contact"}

// pagesOption parses:
//
//	pages {
//		title     <name>
//		logo      <file>
//		color     <#rrggbb>
//		css       <file>
//		templates <directory>
//		lang      <language>
//		link      <title> <url>
//		terms     <url>
//		privacy   <url>
//		contact   <address or url>
//	}
//
// link may be repeated. What needs no file is checked here, at its line.
func (p *globalParser) pagesOption(d *caddyfile.Dispenser) error {
	if err := noArgsBehind(d); err != nil {
		return err
	}
	c, seen := new(PagesConfig), map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] && option != "link" {
			return d.Errf("%s is given twice", option)
		}
		seen[option] = true
		if err := c.option(d); err != nil {
			return err
		}
		if err := c.check(option); err != nil {
			return d.WrapErr(err)
		}
	}
	c.Digest = c.digest()
	p.app.Pages = c
	return nil
}

func (c *PagesConfig) option(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "title":
		return oneArg(d, &c.Title)
	case "logo":
		return oneArg(d, &c.Logo)
	case "color":
		return oneArg(d, &c.Color)
	case "css":
		return oneArg(d, &c.CSS)
	case "templates":
		return oneArg(d, &c.Templates)
	case "lang":
		return oneArg(d, &c.Lang)
	case "link":
		var words []string
		if err := someArgs(d, &words); err != nil {
			return err
		}
		if len(words) != 2 {
			return d.Err("link takes a title, in quotes if it has spaces, and an address: link \"Help pages\" https://help.example.com")
		}
		c.Links = append(c.Links, PageLink{Title: words[0], URL: words[1]})
		return nil
	case "terms":
		return oneArg(d, &c.Terms)
	case "privacy":
		return oneArg(d, &c.Privacy)
	case "contact":
		return oneArg(d, &c.Contact)
	}
	return d.Errf("unrecognized option %q of pages%s", d.Val(), meant(d.Val(), pageOptions, globalOptions...))
}

// check tries an option that needs no file.
func (c *PagesConfig) check(option string) error {
	var one PagesConfig
	switch option {
	case "color":
		one.Color = c.Color
	case "lang":
		one.Lang = c.Lang
	case "contact":
		one.Contact = c.Contact
	case "link", "terms", "privacy":
		one.Links, one.Terms, one.Privacy = c.Links, c.Terms, c.Privacy
	default:
		return nil
	}
	o, err := one.options()
	if err != nil {
		return err
	}
	_, err = page.New(o)
	return err
}

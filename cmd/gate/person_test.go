package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// answer is a person who opens an address, signs in and decides.
func (w *world) answer(address, decision string) {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := newTransport()
	defer transport.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: transport}
	var at *url.URL
	var body string
	do := func(req *http.Request) {
		req.Header.Set("Accept", "text/html")
		resp, err := browser.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			w.t.Fatalf("%d %v: %s", resp.StatusCode, err, page)
		}
		at, body = resp.Request.URL, string(page)
	}
	submit := func(values url.Values) {
		action := formAction.FindStringSubmatch(body)
		if action == nil {
			w.t.Fatalf("no form at %s: %s", at, body)
		}
		for _, field := range hidden.FindAllStringSubmatch(body, -1) {
			values.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
		}
		to, err := at.Parse(html.UnescapeString(action[1]))
		if err != nil {
			w.t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(w.t.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		do(req)
	}
	req, _ := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	do(req)
	submit(url.Values{"username": {"alice"}, "password": {"wonderland"}})
	submit(url.Values{"decision": {decision}})
}

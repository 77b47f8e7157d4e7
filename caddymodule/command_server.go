package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// askServer asks the running server by its admin API.
func askServer(fl caddycmd.Flags, method, uri string) ([]byte, error) {
	return sendServer(fl, method, uri, nil)
}

// sendServer is askServer with a form, if not nil: what must not be in a URL.
func sendServer(fl caddycmd.Flags, method, uri string, form url.Values) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	var headers http.Header
	var body io.Reader
	if form != nil {
		headers = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		body = strings.NewReader(form.Encode())
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, uri, headers, body)
	if err != nil {
		return nil, serverError(address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// serverError is what the server said, or that none was found. Caddy's client
// makes one text of the status and the answer's JSON.
func serverError(address string, err error) error {
	_, answer, answered := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	if !answered {
		return fmt.Errorf("no gateway answers at %s; is it running? If its admin API is elsewhere, say so by --address or --config: %w", address, err)
	}
	status, body, _ := strings.Cut(answer, ": ")
	var refusal struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal([]byte(body), &refusal) == nil && refusal.Error != "":
		return errors.New(refusal.Error)
	case status == "404":
		return fmt.Errorf("the server at %s is no gateway: it is a Caddy without Gatehouse", address)
	}
	return fmt.Errorf("asking the server at %s: %w", address, err)
}

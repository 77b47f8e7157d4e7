package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
)

// patience is how long a visitor waits for one answer.
const patience = 20 * time.Second

// Visitor is a browser, or a program, that can reach every node of a cluster and
// takes it when one of them does not answer. Unlike [browser.Browser] it returns
// failures.
type Visitor struct {
	jar     *cookiejar.Jar
	clients []*http.Client // one for each node
	node    atomic.Int32   // where the next request goes
	source  atomic.Uint32  // the low 16 bits of its loopback address
}

// NewVisitor returns a visitor of nodes, each given as what says where
// "host:port" is to be connected to.
func NewVisitor(source uint32, nodes ...func(address string) string) (*Visitor, error) {
	v := &Visitor{}
	v.source.Store(source)
	for _, route := range nodes {
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: 5 * time.Second}
			// Live flows are counted by the caller's address. Linux takes all
			// of 127.0.0.0/8 for its own.
			if low := v.source.Load(); runtime.GOOS == "linux" {
				d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(low>>8), byte(low))}
			}
			return d.DialContext(ctx, network, route(address))
		}}
		v.clients = append(v.clients, &http.Client{
			Transport: transport, Timeout: patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	}
	return v, v.Forget()
}

// Forget throws the cookies away.
func (v *Visitor) Forget() error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return fmt.Errorf("making a cookie jar: %w", err)
	}
	v.jar = jar
	return nil
}

// Jar holds the cookies.
func (v *Visitor) Jar() *cookiejar.Jar { return v.jar }

// Move goes on from another address.
func (v *Visitor) Move(source uint32) {
	v.source.Store(source)
	v.Close()
}

// Close closes the idle connections.
func (v *Visitor) Close() {
	for _, c := range v.clients {
		c.CloseIdleConnections()
	}
}

// Elsewhere has the next requests go to the next node.
func (v *Visitor) Elsewhere() {
	v.node.Store((v.node.Load() + 1) % int32(len(v.clients))) //nolint:gosec // a few nodes
}

// Open navigates and follows redirects up to the first whose path contains stop;
// "" follows all.
func (v *Visitor) Open(ctx context.Context, address, stop string) (*browser.Page, error) {
	return v.follow(ctx, http.MethodGet, address, nil, stop)
}

// Submit fills in a page's form that has the given field.
func (v *Visitor) Submit(ctx context.Context, page *browser.Page, field string, values map[string]string, stop string) (*browser.Page, error) {
	for _, form := range page.Forms() {
		if !slices.Contains(form.Fields, field) {
			continue
		}
		for name, value := range values {
			form.Values.Set(name, value)
		}
		return v.follow(ctx, http.MethodPost, form.Action.String(), form.Values, stop)
	}
	return nil, fmt.Errorf("%w: no form with a field %s", unexpected(page), field)
}

func (v *Visitor) follow(ctx context.Context, method, address string, form url.Values, stop string) (*browser.Page, error) {
	for range 15 {
		page, err := v.Step(ctx, int(v.node.Load()), method, address, form, v.jar)
		if err != nil {
			return nil, err
		}
		next := page.Next()
		if next == nil || stop != "" && strings.Contains(next.Path, stop) {
			return page, nil
		}
		method, address, form = http.MethodGet, next.String(), nil
	}
	return nil, fmt.Errorf("gave up after many redirects at %s", address)
}

// Step sends one navigation to a node, with the cookies of jar.
func (v *Visitor) Step(ctx context.Context, node int, method, address string, form url.Values, jar *cookiejar.Jar) (*browser.Page, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", browser.Origin(r.URL))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, cookie := range jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	page, err := v.do(node, r)
	if err == nil {
		jar.SetCookies(r.URL, page.Trail[0].Cookies)
	}
	return page, err
}

// Post sends a program's form to a node and reads the JSON that comes back, if
// any does.
func (v *Visitor) Post(ctx context.Context, node int, address string, form url.Values, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page, err := v.do(node, r)
	if err != nil {
		return 0, err
	}
	if page.Body != "" {
		if err := json.Unmarshal([]byte(page.Body), into); err != nil {
			return page.Status, fmt.Errorf("reading the answer: %w", err)
		}
	}
	return page.Status, nil
}

// Bearer asks a node for an address with an access token and returns the status.
func (v *Visitor) Bearer(ctx context.Context, node int, address, token string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	page, err := v.do(node, r)
	if err != nil {
		return 0, err
	}
	return page.Status, nil
}

// do fails too where the gateway says that it cannot answer now.
func (v *Visitor) do(node int, r *http.Request) (*browser.Page, error) {
	resp, err := v.clients[node].Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	page := &browser.Page{
		Status: resp.StatusCode, Header: resp.Header, URL: r.URL, Body: string(body),
		Trail: []browser.Hop{{Method: r.Method, URL: r.URL.Redacted(), Status: resp.StatusCode, Cookies: resp.Cookies()}},
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return nil, fmt.Errorf("%s: %w", r.URL.Path, ErrNotNow)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return nil, fmt.Errorf("%w", unexpected(page))
	}
	return page, nil
}

// ErrNotNow is an answer that tells to try again.
var ErrNotNow = errors.New("told to try again")

// UnexpectedError is an answer that no outage excuses.
type UnexpectedError struct {
	Path   string
	Status int
	Text   string
}

func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("%s answers %d: %.300s", e.Path, e.Status, e.Text)
}

func unexpected(page *browser.Page) error {
	return &UnexpectedError{Path: page.URL.Path, Status: page.Status, Text: page.Text()}
}

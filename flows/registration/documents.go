package registration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// fetchTimeout bounds how long a document may take: a person waits for it.
const fetchTimeout = 5 * time.Second

// maxCached is how many documents are remembered. Each has at most a few kilobytes.
const maxCached = 500

// maxFetches that are under way at once.
const maxFetches = 8

// errFetch: a document cannot be fetched.
var errFetch = errors.New("the metadata document cannot be fetched")

// DocumentsConfig is what [Documents] are made of.
type DocumentsConfig struct {
	// Client that fetches. It must follow no redirects and connect to public addresses
	// only, such as outbound.NewPublicClient.
	Client *http.Client
	// Hosts whose documents are taken, in lower case. Default: those of all hosts.
	Hosts []string
	Now   func() time.Time
}

// Documents fetches metadata documents of clients, and remembers them as their HTTP
// headers say, up to a day. It is safe for concurrent use.
type Documents struct {
	DocumentsConfig
	mu     sync.Mutex
	cached map[string]cachedDocument
	slots  chan struct{}
}

type cachedDocument struct {
	said    *Registration
	expires time.Time
}

// NewDocuments fetches by a configuration.
func NewDocuments(c DocumentsConfig) *Documents {
	return &Documents{DocumentsConfig: c, cached: make(map[string]cachedDocument), slots: make(chan struct{}, maxFetches)}
}

// Check judges a client's id without fetching anything: it has the form of a document's
// URL, of a host whose documents are taken. It is an [Error].
func (d *Documents) Check(id string) error {
	if err := CheckDocumentURL(id); err != nil {
		return err
	}
	u, err := url.Parse(id)
	if err != nil {
		return invalidMetadata("the client_id is no URL")
	}
	if len(d.Hosts) > 0 && !slices.Contains(d.Hosts, strings.ToLower(u.Hostname())) {
		return invalidMetadata("clients of that host are not taken here")
	}
	return nil
}

// Read is what the document at a URL says. mayFetch is asked before one is fetched; its
// error is returned. Else the errors are an [Error] for a document that is not valid, and
// others for one that cannot be fetched.
func (d *Documents) Read(ctx context.Context, id string, mayFetch func() error) (*Registration, error) {
	if err := d.Check(id); err != nil {
		return nil, err
	}
	if said := d.remembered(id); said != nil {
		return said, nil
	}
	if err := mayFetch(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many are being fetched", errFetch)
	}
	if said := d.remembered(id); said != nil {
		return said, nil
	}
	body, header, err := d.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	said, err := ParseDocument(id, body)
	if err != nil {
		return nil, err
	}
	d.remember(id, said, freshness(header))
	return said, nil
}

func (d *Documents) fetch(ctx context.Context, id string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := d.Client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, invalidMetadata("its address answers with the status %d", resp.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && (!strings.HasPrefix(kind, "application/") || !strings.HasSuffix(kind, "+json")) {
		return nil, nil, invalidMetadata("it is not of the type application/json")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	return body, resp.Header, nil
}

func (d *Documents) remembered(id string) *Registration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.cached[id]; ok && d.Now().Before(c.expires) {
		return c.said
	}
	return nil
}

func (d *Documents) remember(id string, said *Registration, fresh time.Duration) {
	if fresh <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	for known, c := range d.cached { // map order is random
		if len(d.cached) >= maxCached || !now.Before(c.expires) {
			delete(d.cached, known)
		}
	}
	d.cached[id] = cachedDocument{said: said, expires: now.Add(fresh)}
}

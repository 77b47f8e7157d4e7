package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// fails is a provider whose sign-ins fail.
type fails struct {
	provider.Redirect
	err error
}

func (p fails) AuthURL(context.Context, provider.AuthRequest) (string, error) { return "", p.err }

// TestProviderFaults_AreToldApart: an outage passes, and a configuration that does not
// fit does not: the page sends nobody round in circles, and the log is an error with
// the cure (field cases A11, F7).
func TestProviderFaults_AreToldApart(t *testing.T) {
	for name, tt := range map[string]struct {
		err        error
		page, log  string
		tries      bool
		retryAfter string
	}{
		"an outage": {
			fmt.Errorf("asking: %w: refused", provider.ErrUnavailable), "does not answer", "level=WARN", true, "10",
		},
		"a configuration that does not fit": {
			fmt.Errorf("asking: %w: %w: write the issuer as it does", provider.ErrUnavailable, provider.ErrMisconfigured),
			"Trying again won&#39;t help", "level=ERROR", false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, rp := twoWorldsWrapped(t, worldOptions{}, func(p provider.Redirect) provider.Provider { return fails{p, tt.err} })
			b := newBrowser(t).get(rp.siteURL("app")+"/").want(http.StatusBadGateway, tt.page)
			if got := b.last.Header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After is %q", got)
			}
			if strings.Contains(b.body, "Try again</a>") != tt.tries {
				t.Errorf("the page is\n%s", b.body)
			}
			if logs := rp.logs.String(); !strings.Contains(logs, tt.log) || !strings.Contains(logs, tt.err.Error()) {
				t.Errorf("the log is\n%s", logs)
			}
		})
	}
}

// hangs is a provider that does not answer while somebody waits.
type hangs struct {
	provider.Redirect
	asked chan struct{}
}

func (p hangs) AuthURL(ctx context.Context, _ provider.AuthRequest) (string, error) {
	p.asked <- struct{}{}
	<-ctx.Done()
	return "", fmt.Errorf("%w: %w", provider.ErrUnavailable, ctx.Err())
}

// TestProviderFaults_HangingHurtsNobodyElse: who waits for a provider keeps no place that
// others need, and existing sessions go on.
func TestProviderFaults_HangingHurtsNobodyElse(t *testing.T) {
	asked := make(chan struct{})
	_, rp := twoWorldsWrapped(t, worldOptions{
		beside: func(now func() time.Time) []provider.Provider { return []provider.Provider{localProvider(t, now)} },
		offers: map[string]flows.Offer{},
	}, func(p provider.Redirect) provider.Provider { return hangs{p, asked} })
	before := newBrowser(t)
	before.get(rp.siteURL("app")+"/").signIn("bob", "builder").want(200, "hello bob")

	const waiting = 50
	ctx, giveUp := context.WithCancel(t.Context())
	done := make(chan error)
	for range waiting {
		b := newBrowser(t)
		b.get(rp.siteURL("app")+"/").want(200, "Outside")
		link := ""
		for _, found := range anchor.FindAllStringSubmatch(b.body, -1) {
			if strings.Contains(found[2], "Outside") {
				link = strings.ReplaceAll(found[1], "&amp;", "&")
			}
		}
		to, err := b.last.Request.URL.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		go func() {
			resp, err := b.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			done <- err
		}()
	}
	for range waiting {
		<-asked
	}
	newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	before.get(rp.siteURL("app")+"/").want(200, "hello bob")
	giveUp()
	for range waiting {
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

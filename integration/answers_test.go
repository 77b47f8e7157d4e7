package integration_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const answersSite = "https://app.localhost"

// insecure is for certificates of a node's own authority.
var insecure = &tls.Config{InsecureSkipVerify: true, ServerName: "app.localhost"} //nolint:gosec // a test machine's

// awaitCertificate waits until a node's own authority has issued its certificate.
func awaitCertificate(t *testing.T, n *gateway.Node) {
	t.Helper()
	await(t, time.Minute, "a certificate", func() bool {
		dialer := tls.Dialer{Config: insecure.Clone()}
		conn, err := dialer.DialContext(t.Context(), "tcp", n.Route("app.localhost:443"))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// protocols are clients of a node, by what they speak.
func protocols(t *testing.T, n *gateway.Node) map[string]http.RoundTripper {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, n.Route(address))
	}
	three := &http3.Transport{
		TLSClientConfig: insecure.Clone(),
		Dial: func(ctx context.Context, address string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, n.Route(address), t, q)
		},
	}
	t.Cleanup(func() { _ = three.Close() })
	return map[string]http.RoundTripper{
		"HTTP/1.1": &http.Transport{DialContext: dial, TLSClientConfig: insecure.Clone(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
		"HTTP/2.0": &http.Transport{DialContext: dial, TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true},
		"HTTP/3.0": three,
	}
}

// running is an answer under way.
type running struct {
	name  string
	ended chan error
}

// open asks for a path, and returns when the answer has begun or the app has the
// request.
func open(ctx context.Context, t *testing.T, proto string, client http.RoundTripper, path string, header http.Header, seen <-chan struct{}) running {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, answersSite+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	begun, a := make(chan error, 1), running{proto + " " + path, make(chan error, 1)}
	go func() {
		res, err := client.RoundTrip(req)
		if err != nil {
			begun <- err
			a.ended <- err
			return
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK || res.Proto != proto {
			err = fmt.Errorf("%s %s", res.Proto, res.Status)
		} else {
			_, err = io.ReadFull(res.Body, make([]byte, len("hello\n")))
		}
		begun <- err
		_, err = io.Copy(io.Discard, res.Body)
		a.ended <- err
	}()
	if path == "/poll" {
		select {
		case <-seen:
		case err := <-begun:
			t.Fatalf("%s: %v", a.name, err)
		}
		return a
	}
	if err := <-begun; err != nil {
		t.Fatalf("%s did not begin: %v", a.name, err)
	}
	return a
}

// Every answer that is still running ends within a second of a sign-out at another
// node: lines of JSON, chunked text, a long poll and a download as well as event
// streams, in every version of HTTP, over a reload.
func TestTwoNodes_SigningOutOnOneEndsEveryAnswerOfTheOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk, err := os.Create(filepath.Join(dir, "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = disk.WriteString("hello\n")
	if err = errors.Join(err, disk.Truncate(200<<30), disk.Close()); err != nil {
		t.Fatal(err)
	}
	app, seen := upstream.StartEndless(t)
	caddyfile := func(comment string) string {
		return "# " + comment + "\n" + global(append([]string{localUsers(t)}, shared...)...) + fmt.Sprintf(
			"%s {\n\ttls internal\n\tgatehouse\n\thandle /disk.img {\n\t\troot %q\n\t\tfile_server\n\t}\n\thandle {\n\t\treverse_proxy %s\n\t}\n}\n", answersSite, dir, app)
	}
	env, secrets, text := sharedEnv(postgrestest.URL(t), redistest.URL(t)), new(gateway.Secrets), caddyfile("first")
	var nodes []*gateway.Node
	for range 2 {
		nodes = append(nodes, gateway.Start(t, gateway.Options{Caddyfile: text, Env: env, Secrets: secrets}))
	}
	for _, n := range nodes {
		awaitCertificate(t, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, reload := range []bool{false, true} {
		b := newBrowser(t, nodes[0])
		signIn(t, b, answersSite+"/", "alice", alicePassword)
		header := http.Header{}
		for _, c := range b.Cookies(answersSite) {
			header.Add("Cookie", c.Name+"="+c.Value)
		}
		var all []running
		for proto, client := range protocols(t, nodes[1]) {
			for _, path := range append(slices.Collect(maps.Keys(upstream.EndlessKinds)), "/disk.img") {
				for len(seen) > 0 {
					<-seen
				}
				all = append(all, open(ctx, t, proto, client, path, header, seen))
			}
		}
		if reload {
			if err := nodes[1].Reload(t, caddyfile("second")); err != nil {
				t.Fatal(err)
			}
		}
		var pulse crash.Pulse
		beat, stop := context.WithCancel(ctx)
		var beating sync.WaitGroup
		beating.Go(func() { pulse.Run(beat) })
		begin := time.Now()
		signOut(t, b, answersSite)
		for _, a := range all {
			if err := <-a.ended; errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
				t.Errorf("reload %t: %s goes on for somebody who has signed out", reload, a.name)
			}
		}
		stop()
		beating.Wait()
		if took := pulse.Ran(begin, time.Now()); took > 2*time.Second { // the sign-out's own pages, and a second
			t.Errorf("reload %t: the last answer ended %v after the sign-out began", reload, took)
		}
	}
}

// grpc-go's own health service is watched by a client that signs out.
func TestGRPC_AWatchOfSomebodyWhoSignsOutEndsAsUnauthenticated(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := grpc.NewServer()
	healthpb.RegisterHealthServer(app, health.NewServer())
	go func() { _ = app.Serve(listener) }()
	t.Cleanup(app.Stop)
	n := gateway.Start(t, gateway.Options{Caddyfile: global(localUsers(t)) + fmt.Sprintf(
		"%s {\n\ttls internal\n\tgatehouse\n\t@grpc header Content-Type application/grpc*\n\thandle @grpc {\n\t\treverse_proxy h2c://%s\n\t}\n\thandle {\n\t\trespond ok\n\t}\n}\n", answersSite, listener.Addr())})
	awaitCertificate(t, n)
	b := newBrowser(t, n)
	signIn(t, b, answersSite+"/", "alice", alicePassword)
	conn, err := grpc.NewClient("passthrough:///app.localhost:443",
		grpc.WithTransportCredentials(credentials.NewTLS(insecure.Clone())),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", n.Route(address))
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, c := range b.Cookies(answersSite) {
		ctx = metadata.AppendToOutgoingContext(ctx, "cookie", c.Name+"="+c.Value)
	}
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("%v: %v", first, err)
	}
	signOut(t, b, answersSite)
	if _, err := watch.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("the watch ended as %v: %v, want Unauthenticated", status.Code(err), err)
	}
}

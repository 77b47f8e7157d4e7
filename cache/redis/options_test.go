package redis

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

func TestNew_RefusesOptionsThatMakeNoSense(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing":                 {},
		"URL and addresses":       {URL: "redis://localhost", Addrs: []string{"localhost:6379"}},
		"another scheme":          {URL: "http://user:hunter2@localhost"},
		"not a URL":               {URL: "redis://user:hunter2@local host:port/x"},
		"password with a slash":   {URL: "redis://user:hunter2/@localhost:6379"},
		"cluster with a database": {Addrs: []string{"a:1", "b:1"}, DB: 3},
		"cluster behind Sentinel": {Addrs: []string{"a:1"}, MasterName: "m", Cluster: true},
	} {
		store, err := New(o)
		if err == nil {
			_ = store.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}

func TestNew_DoesNotDial(t *testing.T) {
	for _, o := range []Options{
		{URL: "rediss://127.0.0.1:1"},
		{Addrs: []string{"127.0.0.1:1", "127.0.0.1:2"}},
		{Addrs: []string{"127.0.0.1:1"}, MasterName: "m"},
	} {
		open(t, o)
	}
}

func TestOptions_StringHasNoSecret(t *testing.T) {
	for _, o := range []Options{
		{URL: "redis://user:hunter2@localhost"},
		{Addrs: []string{"localhost:6379"}, Password: "hunter2"},
		{Addrs: []string{"localhost:6379"}, MasterName: "m", SentinelPassword: "hunter2"},
	} {
		if got := fmt.Sprint(o); strings.Contains(got, "hunter2") {
			t.Errorf("String() = %s", got)
		}
	}
}

// leastRights are what doc.go says a user needs.
const leastRights = "+ping +info +evalsha +eval +time +hget +hmget +hset +hdel +get +set +del +pexpire +pttl " +
	"+zadd +zrem +zscore +zcount +zrangebyscore +zremrangebyscore +incr +publish +subscribe"

func TestOptions_UserPasswordAndDatabase(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	rules := append([]any{"acl", "setuser", "alice", "on", ">se/cret", "-@all", "+select", "~gh:*", "&gh:*"}, fields(leastRights)...)
	if err := admin.Do(t.Context(), rules...).Err(); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"by URL":       {URL: "redis://alice:se%2Fcret@" + server.Addr + "/3"},
		"by addresses": {Addrs: []string{server.Addr}, Username: "alice", Password: "se/cret", DB: 3},
	} {
		t.Run(name, func(t *testing.T) {
			o.Prefix = "gh:"
			everything(t, open(t, o))
		})
	}
	if size := admin.DBSize(t.Context()).Val(); size != 0 {
		t.Errorf("%d keys in database 0", size)
	}
	wrong := open(t, Options{Addrs: []string{server.Addr}, Username: "alice", Password: "wrong", Prefix: "gh:"})
	if err := wrong.Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) || strings.Contains(err.Error(), "wrong ") {
		t.Errorf("Ping with a wrong password = %v", err)
	}
}

func TestOptions_UserOfACluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	for _, node := range cluster.Nodes {
		rules := append([]any{"acl", "setuser", "alice", "on", ">secret", "-@all", "+cluster|slots", "~gh:*", "&gh:*"}, fields(leastRights)...)
		if err := node.Client(t).Do(t.Context(), rules...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	everything(t, open(t, Options{Addrs: cluster.Addrs(), Username: "alice", Password: "secret", Prefix: "gh:"}))
}

func fields(s string) (args []any) {
	for field := range strings.FieldsSeq(s) {
		args = append(args, field)
	}
	return args
}

// everything uses each kind of key once.
func everything(t *testing.T, store *Store) {
	t.Helper()
	ctx, key := t.Context(), uuid.NewString()
	told := ears(t, store)
	_, once := store.Once(ctx, key, time.Minute)
	_, add := store.Add(ctx, cache.Count{Key: key, Limit: 1, Window: time.Minute})
	start := store.StartFlow(ctx, newFlow(key))
	_, wrong := store.RedeemFlow(ctx, key, []byte("x"), newFlow(key).Owner)
	_, advance := store.AdvanceFlow(ctx, cache.Transition{Key: key, From: cache.Ready, To: cache.Ready, Validity: time.Minute, Owner: newFlow(key).Owner})
	_, redeemed := store.RedeemFlow(ctx, key, newFlow(key).Proof, newFlow(key).Owner)
	_, recent := store.RecentRevocations(ctx)
	for name, err := range map[string]error{
		"Once": once, "Add": add, "StartFlow": start, "AdvanceFlow": advance, "RedeemFlow": redeemed, "RecentRevocations": recent,
		"Forgive":  store.Forgive(ctx, key),
		"SetAlias": store.SetAlias(ctx, key, key, time.Minute),
		"Announce": store.Announce(ctx, cache.Announcement{Subjects: []string{key}, Sessions: []uuid.UUID{uuid.New()}}),
		"Ping":     store.Ping(ctx),
	} {
		if err != nil {
			t.Errorf("%s = %v", name, err)
		}
	}
	if !errors.Is(wrong, cache.ErrMismatch) {
		t.Errorf("RedeemFlow with a wrong proof = %v", wrong)
	}
	wantTold(t, told, key)
}

func TestOptions_TLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	port := redistest.FreePort(t)
	addr := net.JoinHostPort("127.0.0.1", port)
	redistest.Start(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"))

	trusting := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	everything(t, open(t, Options{URL: "rediss://" + addr, TLS: trusting}))
	everything(t, open(t, Options{Addrs: []string{addr}, TLS: trusting}))
	distrusting := open(t, Options{URL: "rediss://" + addr})
	if err := distrusting.Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Ping of a server that nobody vouches for = %v", err)
	}
}

// certificate writes cert.pem and key.pem for 127.0.0.1 and returns who trusts
// them.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	for name, content := range map[string][]byte{
		"cert.pem": encoded,
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(encoded)
	return pool
}

func TestEvictionPolicy_IsWarnedAbout(t *testing.T) {
	for policy, warned := range map[string]bool{"allkeys-lru": true, "noeviction": false} {
		var log bytes.Buffer
		store := open(t, Options{
			URL:    redistest.Start(t, "--maxmemory-policy", policy).URL(),
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		for range 3 {
			if err := store.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(log.String(), policy); got != 0 != warned || got > 1 {
			t.Errorf("%s: log is %q", policy, log.String())
		}
	}
}

func TestFullMemory_RefusesAndEvictsNothing(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	store := open(t, Options{URL: server.URL(), Caps: cache.Caps{Owner: -1}})
	var err error
	started := 0
	for ; err == nil && started < 10_000; started++ {
		f := newFlow(fmt.Sprint(started))
		f.Value = make([]byte, 2048)
		err = store.StartFlow(t.Context(), f)
	}
	if !errors.Is(err, cache.ErrFull) {
		t.Fatalf("after %d flows StartFlow = %v", started, err)
	}
	for i := range started - 1 {
		if _, err := store.Flow(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatalf("flow %d is %v", i, err)
		}
	}
}

func TestReadOnly_HealsByItself(t *testing.T) {
	server, other := redistest.Start(t), redistest.Start(t)
	store, admin := open(t, Options{URL: server.URL()}), server.Client(t)
	if err := store.StartFlow(t.Context(), newFlow("a")); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(other.Addr)
	if err := admin.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.StartFlow(t.Context(), newFlow("b")); !errors.Is(err, cache.ErrUnavailable) {
		t.Fatalf("StartFlow on a replica = %v", err)
	}
	if err := admin.ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.StartFlow(t.Context(), newFlow("c")); err != nil {
		t.Fatalf("StartFlow on a master again = %v", err)
	}
}

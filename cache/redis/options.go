package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// The caps when [cache.Caps] has zeros.
const (
	defaultOwnerCap  = 200
	defaultGlobalCap = 1_000_000
)

// DefaultPrefix is what all keys and the channel begin with by default.
const DefaultPrefix = "gatehouse:"

// How long the network may take before the cache is unavailable.
const (
	dialTimeout = 1500 * time.Millisecond
	ioTimeout   = 2 * time.Second
	// idleTime is below the five minutes after which many servers and
	// balancers drop a connection.
	idleTime = 4 * time.Minute
)

// Options of a [Store]: a URL, or addresses. Give one of the two.
type Options struct {
	// URL of a single server, redis://USER:PASSWORD@HOST:PORT/DB or rediss://
	// for TLS. Of the options that go-redis's ParseURL knows as a query, db,
	// pool_size and skip_verify count; time-outs and retries are this package's.
	URL string

	// Addrs are host:port pairs: one for a single server, some of a Cluster's
	// nodes, or Sentinels when MasterName is set.
	Addrs []string
	// MasterName is what the Sentinels call the master.
	MasterName string
	// Cluster says that the servers are a Redis Cluster even when URL or Addrs
	// name only one.
	Cluster bool

	// Username, Password and DB (0 on a Cluster) of the data servers. With URL
	// they come from there.
	Username, Password string
	DB                 int
	// SentinelUsername and SentinelPassword are what the Sentinels ask for.
	SentinelUsername, SentinelPassword string
	// TLS, when set, is used to all servers. With rediss:// it replaces the
	// configuration that the URL implies.
	TLS *tls.Config

	// Prefix of all keys and of the channel. Default: [DefaultPrefix].
	Prefix string
	// Caps of live flows. Default: 200 per owner, 1,000,000 in all.
	Caps cache.Caps
	// PoolSize is the most connections to one server. Default: 10 per CPU.
	PoolSize int
	// Logger is told when a server may evict live flows. Default:
	// [slog.Default].
	Logger *slog.Logger
}

// String names the servers, and no secret.
func (o Options) String() string {
	switch {
	case o.MasterName != "":
		return "redis master " + o.MasterName
	case o.URL != "":
		return "redis by URL"
	case len(o.Addrs) > 0:
		return "redis at " + o.Addrs[0]
	}
	return "redis"
}

// errURL does not say what is wrong, because what is wrong may be the password.
var errURL = errors.New("redis URL is not of the form redis://user:password@host:port/db")

// client makes the client, which dials when it is used.
func (o Options) client(connected func(context.Context, *goredis.Conn) error) (goredis.UniversalClient, error) {
	if (o.URL == "") == (len(o.Addrs) == 0) {
		return nil, errors.New("give either a redis URL or addresses")
	}
	universal := &goredis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.MasterName, IsClusterMode: o.Cluster,
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
	}
	if o.URL != "" {
		parsed, err := goredis.ParseURL(o.URL)
		if err != nil {
			return nil, errURL
		}
		universal.Addrs = []string{parsed.Addr}
		universal.Username, universal.Password, universal.DB = parsed.Username, parsed.Password, parsed.DB
		if o.TLS == nil {
			universal.TLSConfig = parsed.TLSConfig
		}
		if o.PoolSize == 0 {
			o.PoolSize = parsed.PoolSize
		}
	}
	clustered := o.MasterName == "" && (o.Cluster || len(universal.Addrs) > 1)
	if clustered && universal.DB != 0 {
		return nil, errors.New("a redis cluster has no database but 0")
	}
	if o.Cluster && o.MasterName != "" {
		return nil, errors.New("redis is either a cluster or behind Sentinel")
	}
	universal.OnConnect = connected
	universal.PoolSize = o.PoolSize
	universal.PipelinePoolSize = -1 // everything is a pipeline: one pool is enough
	universal.DialTimeout, universal.DialerRetries = dialTimeout, 1
	universal.ReadTimeout, universal.WriteTimeout, universal.PoolTimeout = ioTimeout, ioTimeout, ioTimeout
	universal.ConnMaxIdleTime = idleTime
	universal.MaxRetries = -1
	universal.ContextTimeoutEnabled = true
	universal.DisableIdentity = true
	universal.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return goredis.NewUniversalClient(universal), nil
}

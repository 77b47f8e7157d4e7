// Package redis is the [cache.Store] that any number of gateway nodes share:
// on a single Redis, behind Sentinel, or on a Redis Cluster; Redis 6.2 or
// newer, or compatible. Configure maxmemory-policy noeviction: any other lets
// Redis drop live flows when its memory is full, which the store warns about.
//
// # Keys
//
// A whole flow is one hash, and every transition one Lua script on that key
// alone, judged on the server's clock. So it is atomic on any deployment, and
// no script ever touches two slots. All names begin with the prefix:
//
//	f:KEY               a flow, until its tombstone is gone
//	{f:KEY}/note        what a flow was for, after its end
//	live, o:OWNER       sorted sets of live flows, for the caps
//	a:ALIAS             an alias
//	t:KEY, g:KEY        a counter, a guard
//	{announce}:recent   sessions revoked within the hour
//	{announce}:number   number of the last announcement
//	{announce}          the channel of announcements
//
// # Round trips
//
// Each method is one pipeline. The caps live in other slots than the flow, so
// they ride along as commands of their own, and are put right in a second trip
// where that turns out to have been wrong: a flow that a cap refuses is removed
// again; a slot that was released for a redemption which then failed is given
// back; and where a caller named another owner than the one the flow was
// started for, that one's slot is released or renewed. A wrong owner never
// releases anybody else's slot, because a slot is released by the flow's key.
//
// The first use of a script on a server that does not have it yet costs a
// second trip too.
//
// Flows that expire unfinished keep their tombstones for [cache.Retention], and
// their values only until others are started.
//
// # Rights
//
// A user of Redis's access control lists needs, on the keys and channels that
// begin with the prefix (with the default one ~gatehouse:* &gatehouse:*):
//
//	+ping +info +evalsha +eval +time +hget +hmget +hset +hdel +get +set +del
//	+pexpire +pttl +zadd +zrem +zscore +zcount +zrangebyscore
//	+zremrangebyscore +incr +publish +subscribe
//
// and +select for a database other than 0, or +cluster|slots on a Cluster, where
// without +command the client works but complains in its log.
//
// # Failures
//
// Nothing is sent twice: where a connection breaks before the answer has come,
// the method is [cache.ErrUnavailable], and a redemption may or may not have
// happened. A node that was demoted to a replica answers READONLY, having done
// nothing; that alone is tried again, once, on the new master. When memory is
// full ("OOM") the answer is [cache.ErrFull].
package redis

// Package storetest is the suite that every [tokenstore.Store] passes. It tests
// what the comments of package tokenstore promise, through the interface only,
// so that it can be run against a store of somebody else:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) storetest.Harness {
//			var offset atomic.Int64 // nanoseconds
//			store := openEmpty(t, func() time.Time {
//				return time.Now().Add(time.Duration(offset.Load()))
//			})
//			t.Cleanup(func() { store.Close() })
//			return storetest.Harness{
//				Store:   store,
//				Advance: func(d time.Duration) { offset.Add(int64(d)) },
//			}
//		})
//	}
//
// The storms take a minute or two on a slow disk; with -short they have fewer
// rounds.
package storetest

// Package cachetest is the suite that every [cache.Store] passes, those of
// third parties included. It tests each sentence of the contract, on one node
// and, where the implementation has them, on two.
//
//	func TestStore(t *testing.T) {
//		cachetest.Run(t, func(t testing.TB) cachetest.Harness {
//			var offset atomic.Int64
//			store := mystore.New(mystore.Options{
//				Caps: cachetest.Caps(),
//				Now:  func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
//			})
//			t.Cleanup(func() { store.Close() })
//			return cachetest.Harness{
//				Store:   store,
//				Advance: func(d time.Duration) { offset.Add(int64(d)) },
//			}
//		})
//	}
package cachetest

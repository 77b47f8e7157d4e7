package memory

import (
	"container/heap"
	"time"
)

// shelf is a map whose items come due: the one that is due first is found
// without looking at the others.
type shelf[V any] struct {
	items map[string]*item[V]
	queue queue[V]
}

type item[V any] struct {
	key   string
	due   time.Time
	index int // in the queue, kept by it
	value V
}

func newShelf[V any]() shelf[V] {
	return shelf[V]{items: map[string]*item[V]{}}
}

func (s *shelf[V]) len() int { return len(s.items) }

func (s *shelf[V]) get(key string) (*item[V], bool) {
	it, ok := s.items[key]
	return it, ok
}

// put adds an item; what was there under its key is replaced.
func (s *shelf[V]) put(key string, due time.Time, value V) *item[V] {
	if old, ok := s.items[key]; ok {
		s.remove(old)
	}
	it := &item[V]{key: key, due: due, value: value}
	s.items[key] = it
	heap.Push(&s.queue, it)
	return it
}

func (s *shelf[V]) remove(it *item[V]) {
	delete(s.items, it.key)
	heap.Remove(&s.queue, it.index)
}

func (s *shelf[V]) delay(it *item[V], due time.Time) {
	it.due = due
	heap.Fix(&s.queue, it.index)
}

// next is the item that is due first, if it is due now.
func (s *shelf[V]) next(now time.Time) (*item[V], bool) {
	if len(s.queue) == 0 || s.queue[0].due.After(now) {
		return nil, false
	}
	return s.queue[0], true
}

// expire removes all that is due.
func (s *shelf[V]) expire(now time.Time) {
	for it, ok := s.next(now); ok; it, ok = s.next(now) {
		s.remove(it)
	}
}

// queue is a heap.Interface, the earliest due first.
type queue[V any] []*item[V]

func (q queue[V]) Len() int           { return len(q) }
func (q queue[V]) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue[V]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue[V]) Push(x any) {
	it := x.(*item[V])
	it.index = len(*q)
	*q = append(*q, it)
}

func (q *queue[V]) Pop() any {
	old := *q
	last := len(old) - 1
	it := old[last]
	old[last] = nil
	*q = old[:last]
	return it
}

package bench_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/bench"
)

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	sample := func(requests int, cpu time.Duration) bench.Sample {
		return bench.Sample{Requests: requests, Window: time.Second, CPU: cpu}
	}
	s := bench.Samples{
		"a": {sample(90, time.Second), sample(100, time.Second), sample(10, time.Second)},
		"b": {sample(100, time.Second), sample(100, time.Second), sample(100, time.Second)},
	}
	throughput, cost := s.Ratio("a", "b")
	if throughput != 0.9 || cost < 1.11 || cost > 1.12 {
		t.Errorf("got %v and %v, want 0.9 and 1.11", throughput, cost)
	}
	var out strings.Builder
	if err := s.Print(&out, []string{"a", "b"}, []bench.Pair{{A: "a", B: "b", Bar: "the bar"}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "0.900") {
		t.Errorf("the table is:\n%s", out.String())
	}
}

func TestCPUCountsThisProcess(t *testing.T) {
	start, err := bench.CPU(os.Getpid())
	if err != nil {
		t.Skipf("no process times here: %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if now, err := bench.CPU(os.Getpid()); err != nil || now > start {
			return
		}
	}
	t.Error("ten busy seconds used no processor time")
}

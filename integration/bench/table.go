package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Sample is what one target did in one window.
type Sample struct {
	Requests int
	Window   time.Duration
	CPU      time.Duration // of the gateway's process
}

// Rate is requests a second.
func (s Sample) Rate() float64 { return float64(s.Requests) / s.Window.Seconds() }

// Cost is processor time per request.
func (s Sample) Cost() float64 { return s.CPU.Seconds() / float64(s.Requests) }

// Samples of the targets, by name, one per round.
type Samples map[string][]Sample

// Ratio of two targets, round by round: the median of the throughputs' and of
// the costs' quotients.
func (s Samples) Ratio(a, b string) (throughput, cost float64) {
	throughputs, costs := make([]float64, len(s[a])), make([]float64, len(s[a]))
	for i := range s[a] {
		throughputs[i] = s[a][i].Rate() / s[b][i].Rate()
		costs[i] = s[a][i].Cost() / s[b][i].Cost()
	}
	return Median(throughputs), Median(costs)
}

// Median of values, which it sorts.
func Median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Pair is two targets to compare.
type Pair struct{ A, B, Bar string }

// Print prints each target's median figures, then the pairs.
func (s Samples) Print(w io.Writer, targets []string, pairs []Pair) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\ntarget\trequests/s\tCPU µs/request\t")
	for _, name := range targets {
		rates, costs := make([]float64, len(s[name])), make([]float64, len(s[name]))
		for i, sample := range s[name] {
			rates[i], costs[i] = sample.Rate(), sample.Cost()*1e6
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t\n", name, Median(rates), Median(costs))
	}
	fmt.Fprintf(table, "\nmedian of %d pairs\tthroughput\tCPU per request\tbar\n", len(s[targets[0]]))
	for _, p := range pairs {
		throughput, cost := s.Ratio(p.A, p.B)
		fmt.Fprintf(table, "%s / %s\t%.3f\t%.3f\t%s\n", p.A, p.B, throughput, cost, p.Bar)
	}
	return table.Flush()
}

package flows_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/answers.golden anew") //nolint:gochecknoglobals // a flag

// TestMain runs the tests and compares what their portals and sites answered, all
// together, with the golden file: a change that is to keep behaviour takes none away.
// A run of some of the tests says nothing about it.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && isWholeRun() {
		if err := given.compare(filepath.Join("testdata", "answers.golden"), *update); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL: "+err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

// isWholeRun reports whether no flag chose among the tests.
func isWholeRun() bool {
	for _, name := range []string{"run", "skip", "fuzz", "bench", "list"} {
		if f := flag.Lookup("test." + name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// unsteady are the tests whose answers depend on timing: who comes first, how far a
// request gets before its client leaves.
var unsteady = []string{ //nolint:gochecknoglobals // a constant list
	"TestProvider_FiftyTabsAtOnce", "TestProvider_PeopleAtOnceAreNeverSwapped", "TestLink_TwoAtOnce",
	"TestPassword_HangingUpIsCounted", "TestRefresh_HangingUpConsumesNothing", "TestSignOut_HangingUpLosesNothing",
	"TestKeepToken_HangingUp", "TestRevocation_HangingUpIsTold", "TestProviderFaults_HangingHurtsNobodyElse",
}

// given are the answers of this run.
var given answers //nolint:gochecknoglobals // tests of a whole package end here

// answers is a set of answers without what is random in them.
type answers struct {
	mu  sync.Mutex
	set map[string]struct{}
}

// record remembers every answer of a handler that returns.
func (a *answers) record(t *testing.T, next http.HandlerFunc) http.Handler {
	name, _, _ := strings.Cut(t.Name(), "/")
	if slices.Contains(unsteady, name) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		asked := r.Method + " " + r.Host + r.RequestURI
		next(rec, r)
		a.add(asked, rec)
	})
}

func (a *answers) add(asked string, rec *recorder) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n", withoutChance(asked), max(rec.status, http.StatusOK))
	header := rec.header
	if header == nil {
		header = rec.Header()
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		values := make([]string, 0, 1)
		for _, v := range header[name] {
			if name == "Retry-After" {
				v = "N"
			}
			values = append(values, withoutChance(v))
		}
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	body := rec.body.String()
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		// How many sessions there are, and which comes first, goes by the clock.
		body = sessionLists.ReplaceAllString(strings.Join(pageParts.FindAllString(body, -1), "\n"), "SESSIONS")
	}
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(withoutChance(line)); line != "" {
			b.WriteString("\t" + line + "\n")
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set == nil {
		a.set = map[string]struct{}{}
	}
	a.set[b.String()] = struct{}{}
}

// compare reports which answers of a file are not given any more, or writes it. A new
// answer is no fault: a test more gives some.
func (a *answers) compare(file string, update bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := strings.Join(slices.Sorted(maps.Keys(a.set)), "\n")
	if update {
		return os.WriteFile(file, []byte(now), 0o600)
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var b strings.Builder
	for answer := range strings.SplitSeq(string(golden), "\n\n") {
		answer = strings.TrimSuffix(answer, "\n") + "\n"
		if _, given := a.set[answer]; !given {
			b.WriteString(answer + "\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("answers of %s are no longer given (go test ./flows -update writes it anew):\n%s", file, &b)
}

var (
	pageParts    = regexp.MustCompile(`(?s)<title>.*?</title>|<main.*</main>`)
	sessionLists = regexp.MustCompile(`(?s)<ul class="sessions">.*?</ul>`)
	ages         = regexp.MustCompile(`>(just now|[^<]* ago)</time>`)
	dates        = regexp.MustCompile(`\b\d{1,2} (January|February|March|April|May|June|July|August|September|October|November|December)\b`)
	moments      = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z| UTC)?|\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)
	digests      = regexp.MustCompile(`sha256-[A-Za-z0-9+/]{43}=`)
	runs         = regexp.MustCompile(`[A-Za-z0-9_-]{16,}`)
	words        = regexp.MustCompile(`^([A-Z]?[a-z]{2,15}|[A-Z]+)([-_]([A-Z]?[a-z]{1,15}|[A-Z]+))*$`)
	userCodes    = regexp.MustCompile(`\b[B-DF-HJ-NP-TV-XZ]{4}-?[B-DF-HJ-NP-TV-XZ]{4}\b`)
	ports        = regexp.MustCompile(`(:|%(?:25)*3A)\d{4,5}\b`)
	escapes      = regexp.MustCompile(`(%[0-9A-F]{2}){9,}`)
	durations    = regexp.MustCompile(`\b(\d+m)?\d+s\b`)
	numbers      = regexp.MustCompile(`(^|[^%A-Za-z0-9_])\d{2,}\b`)
)

// longest is how much of a line is kept, in bytes: some tests fill parameters.
const longest = 600

// withoutChance replaces times, ids, secrets, codes and numbers in a line.
func withoutChance(s string) string {
	s = ports.ReplaceAllString(s, "${1}PORT")
	s = escapes.ReplaceAllString(s, "ESCAPED")
	s = moments.ReplaceAllString(s, "TIME")
	s = dates.ReplaceAllString(s, "DATE")
	s = ages.ReplaceAllString(s, ">AGE</time>")
	s = digests.ReplaceAllString(s, "RANDOM=")
	s = runs.ReplaceAllStringFunc(s, func(run string) string {
		if words.MatchString(run) {
			return run
		}
		return "RANDOM"
	})
	s = userCodes.ReplaceAllString(s, "CODE")
	s = durations.ReplaceAllString(s, "DURATION")
	s = numbers.ReplaceAllString(s, "${1}N")
	return s[:min(len(s), longest)]
}

// recorder keeps a copy of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if r.header == nil && status >= http.StatusOK {
		r.status, r.header = status, r.Header().Clone()
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.header == nil {
		r.status, r.header = http.StatusOK, r.Header().Clone()
	}
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

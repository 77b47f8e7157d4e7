package reading

import (
	"net/http"
	"strings"
)

// maxReadings bounds the readings of one request.
const maxReadings = 1024

// Reading is one way to take a request.
type Reading struct {
	Method   string
	Path     string // decoded
	RawQuery string
}

// Looks says which parts of a request a decision uses. The path and the method are
// always read.
type Looks struct {
	// Query says that the query counts.
	Query bool
	// Names are parameters of the query that are looked for.
	Names []string
	// Case says that letters' case in the path counts, as it does to few servers'
	// file systems and routers. The path is read in lower case too then.
	Case bool
}

// Others returns the ways to read a request other than as it was sent, nil for
// one that all servers read alike. It fails with [ErrMalformed] where no server
// should read it at all.
//
// A query that cannot be read has no other reading: ask [IsQueryReadable].
func Others(r *http.Request, looks Looks) ([]Reading, error) {
	plain := isPlain(r.URL.Path, r.URL.RawPath)
	upper := strings.ToUpper(r.Method)
	fold := looks.Case && strings.ToLower(r.URL.Path) != r.URL.Path
	if plain && !fold && upper == r.Method && (!looks.Query || r.URL.RawQuery == "") {
		return nil, nil
	}
	methods, rawQueries := []string{r.Method}, []string{r.URL.RawQuery}
	if upper != r.Method {
		// Methods are case-sensitive (RFC 9110, section 9.1), and yet many a
		// framework takes "post" for POST.
		methods = append(methods, upper)
	}
	read := []string{r.URL.Path}
	if !plain {
		others, err := paths(r.URL.Path, r.URL.EscapedPath())
		if err != nil {
			return nil, err
		}
		read = append(read, others...)
	}
	if fold {
		for _, path := range read {
			if lower := strings.ToLower(path); lower != path {
				read = append(read, lower)
			}
		}
	}
	if looks.Query {
		rawQueries = append(rawQueries, queries(r.URL.RawQuery, looks.Names)...)
	}
	if len(methods)*len(read)*len(rawQueries) > maxReadings {
		return nil, ErrMalformed
	}
	var all []Reading
	for _, method := range methods {
		for _, path := range read {
			for _, query := range rawQueries {
				all = append(all, Reading{method, path, query})
			}
		}
	}
	return all[1:], nil
}

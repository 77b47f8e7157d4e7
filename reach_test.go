package gatehouse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unreached are the operations that no product code calls yet, each with what
// will. What is wired is taken off this list; what nothing will wire goes.
var unreached = map[string]string{
	"RemoveSubject":  "the person's own page, and an operator's removal of a person",
	"Forgive":        "an operator's command for an address that is throttled",
	"VerifiedDomain": "the placeholder of a domain; else it goes",
}

// called are names of methods that libraries call: fmt, errors, container/heap,
// encoding/json and log/slog, go-oidc, go-redis and cel-go.
var called = []string{
	"String", "GoString", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Push", "Pop", "MarshalJSON", "UnmarshalJSON", "LogValue",
	"VerifySignature", "NoRetry", "EstimateSize", "EstimateCallCost",
}

// TestNothingIsUncalled lists exported functions and methods of flows, tokenstore
// and cache that no product code names. It goes by names: one that two have in
// common counts for both.
func TestNothingIsUncalled(t *testing.T) {
	declared, used := map[string]string{}, map[string]bool{}
	files := token.NewFileSet()
	for _, top := range []string{"flows", "tokenstore", "cache", "caddymodule", "cmd"} {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (strings.HasSuffix(path, "test") || entry.Name() == "testdata" || entry.Name() == "bench") {
				return fs.SkipDir // conformance suites, servers for tests
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			names := operations(file)
			if top != "caddymodule" && top != "cmd" {
				for name := range names {
					declared[name.Name] = path
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if name, ok := n.(*ast.Ident); ok && !names[name] {
					used[name.Name] = true
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(declared) < 200 {
		t.Fatalf("only %d operations were found", len(declared))
	}
	for name, path := range declared {
		_, listed := unreached[name]
		switch {
		case !used[name] && !listed && !slices.Contains(called, name):
			t.Errorf("%s declares %s, which no product code calls: wire it, remove it, or list what will wire it", path, name)
		case used[name] && listed:
			t.Errorf("%s of %s is called now: take it off the list", name, path)
		}
	}
	for name := range unreached {
		if declared[name] == "" {
			t.Errorf("%s is gone: take it off the list", name)
		}
	}
}

// operations are the names by which a file declares exported functions and
// methods, those of interfaces too.
func operations(file *ast.File) map[*ast.Ident]bool {
	names := map[*ast.Ident]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.IsExported() {
				names[n.Name] = true
			}
		case *ast.InterfaceType:
			for _, method := range n.Methods.List {
				for _, name := range method.Names {
					if name.IsExported() {
						names[name] = true
					}
				}
			}
		}
		return true
	})
	return names
}

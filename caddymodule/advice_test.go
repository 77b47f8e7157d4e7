package caddymodule

import (
	"strings"
	"testing"
)

// What people get wrong before a line of theirs reaches a parser of ours.
func TestAdvice_OnWhatCaddyRefuses(t *testing.T) {
	const user = "user alice " + cheapHash + "\n"
	const global = "{\ngatehouse {\nprovider local {\n" + user + "}\n}\n}\n"
	for name, tt := range map[string]struct{ caddyfile, want string }{
		"directive":            {global + "http://localhost {\ngatehose\n}\n", `Line 9 of Caddyfile: did you mean "gatehouse"?`},
		"portal":               {global + "http://localhost {\ngatehouse_potal\n}\n", `Line 9 of Caddyfile: did you mean "gatehouse_portal"?`},
		"global option":        {"{\ngatehose {\nprovider local {\n" + user + "}\n}\n}\n", `Line 2 of Caddyfile: did you mean "gatehouse"?`},
		"portal as an option":  {"{\ngatehouse_portal\n}\n", "Line 2 of Caddyfile: gatehouse_portal stands in a site"},
		"no gatehouse around":  {"{\nprovider local {\n" + user + "}\n}\n", "Line 2 of Caddyfile: provider stands in the block gatehouse { … } of the global options, which is not open here: it was not begun, or a } above has closed it"},
		"closed too early":     {"{\ngatehouse {\nprovider local {\n" + user + "}\n}\npolicy a {\nallow anyone\n}\n}\n}\n", "Line 7 of Caddyfile: policy stands in the block gatehouse { … }"},
		"option in a site":     {global + "http://localhost {\nprovider local\n}\n", "Line 9 of Caddyfile: provider stands in the block gatehouse { … } of the global options"},
		"rule in a site":       {global + "http://localhost {\ngatehouse\nallow anyone\n}\n", "Line 10 of Caddyfile: allow stands in the block of the site's directive: gatehouse { allow … }"},
		"glued brace":          {"{\ngatehouse{\nprovider local {\n" + user + "}\n}\n}\n", `Line 2 of Caddyfile: a space is missing before the brace: gatehouse {`},
		"glued in a site":      {global + "http://localhost {\ngatehouse{\nallow anyone\n}\n}\n", `Line 9 of Caddyfile: a space is missing before the brace: gatehouse {`},
		"no global block":      {"gatehouse {\nprovider local {\n" + user + "}\n}\n", "Line 1 of Caddyfile: if this is to say how people sign in, it stands in the global options, in braces of their own at the top: { gatehouse { … } }"},
		"gatehouse not closed": {"{\ngatehouse {\nprovider local {\n" + user + "}\n}\nhttp://localhost {\ngatehouse\n}\n", "Line 7 of Caddyfile: a site begins inside another block: is a } missing above it?"},
		"all not closed":       {"{\ngatehouse {\nprovider local {\n" + user + "}\nhttp://localhost {\ngatehouse\n}\n", "The file ends inside a block: a } is missing"},
		"site not closed":      {global + "http://localhost {\ngatehouse\nhttp://127.0.0.1 {\nrespond ok\n}\n", "Line 10 of Caddyfile: a site begins inside another block: is a } missing above it?"},
		"last not closed":      {global + "http://localhost {\ngatehouse\nrespond ok\n", "The file ends inside a block: a } is missing"},
		"one closed twice":     {"{\ngatehouse {\nprovider local {\n" + user + "}\n}\n}\n}\nhttp://localhost {\ngatehouse\n}\n", "Line 9 of Caddyfile: is a } above it one too many?"},
		"an import":            {global + "import nothing-there\n", ""},
		"somebody else's":      {global + "http://localhost {\nrevers_proxy app\n}\n", ""},
		"ours says it itself":  {global + "http://localhost {\ngatehouse stuff\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adapt(tt.caddyfile)
			if err == nil {
				t.Fatal("adapted")
			}
			got := Advice(err.Error())
			if !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("for %s\nthe advice is %q\nwant            %q", err, got, tt.want)
			}
		})
	}
}

package caddymodule

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const onProduction = "token_store postgres {env.DATABASE_URL}\ncache redis {env.REDIS_URL}\nsecret {env.GATEHOUSE_SECRET}\n" + aliceLocal

// Who brings a configuration to a new machine learns of all variables at once.
func TestProvision_NamesAllUnsetVariables(t *testing.T) {
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "GATEHOUSE_SECRET", "SHOP_SECRET", "SSO_ID", "SSO_SECRET"} {
		t.Setenv(name, "")
	}
	lines := onProduction + "provider sso oidc https://sso.example.com {\n\tclient_id {env.SSO_ID}\n\tclient_secret {env.SSO_SECRET}\n}\n" +
		"client shop {\n\tsecret {env.SHOP_SECRET}\n\tredirect_uri https://shop.example.com/cb\n}"
	_, err := provision(t, config(t, t.TempDir(), lines, ""))
	if err == nil {
		t.Fatal("provisioned without its variables")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	for what, name := range map[string]string{
		"token_store postgres": "DATABASE_URL", "cache redis": "REDIS_URL", "secret": "GATEHOUSE_SECRET",
		"client_id": "SSO_ID", "client_secret": "SSO_SECRET", "the secret of client shop": "SHOP_SECRET",
	} {
		if want := what + ": environment variable not set or empty: " + name; !strings.Contains(err.Error(), want) {
			t.Errorf("error is\n%v\nwant it to contain\n%s", err, want)
		}
	}
}

// Addresses that cannot be right are found without asking a server, and their
// passwords stay out of the error.
func TestProvision_JudgesAddresses(t *testing.T) {
	const (
		goodDatabase = "postgres://u:hunter2@127.0.0.1:1/db"
		goodCache    = "redis://:hunter2@127.0.0.1:1/0"
		badDatabase  = "postgres://user:password@host:5432/database"
		badCache     = "redis://user:password@host:port/db"
	)
	for name, test := range map[string]struct{ database, cache, want string }{
		"good":                      {goodDatabase, goodCache, ""},
		"keywords":                  {"host=127.0.0.1 port=1 password=hunter2", "rediss://127.0.0.1:1", ""},
		"several hosts":             {"postgresql://u:hunter2@a:1,b:2/db", goodCache, ""},
		"socket":                    {"postgres:///db?host=/tmp", "unix:///tmp/redis.sock", ""},
		"Redis without scheme":      {goodDatabase, "localhost:6379", badCache},
		"Redis by http":             {goodDatabase, "http://:hunter2@localhost:6379", badCache},
		"Redis, no such database":   {goodDatabase, "redis://:hunter2@localhost:6379/first", badCache},
		"Postgres without scheme":   {"u:hunter2@localhost:5432/db", goodCache, badDatabase},
		"Postgres, a bare word":     {"hunter2", goodCache, badDatabase},
		"Postgres, another server":  {"mysql://u:hunter2@localhost/db", goodCache, badDatabase},
		"Postgres, raw # in secret": {"postgres://u:hunter2#@localhost/db", goodCache, badDatabase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DATABASE_URL", test.database)
			t.Setenv("REDIS_URL", test.cache)
			t.Setenv("GATEHOUSE_SECRET", "0123456789abcdef0123456789abcdef")
			_, err := provision(t, config(t, t.TempDir(), onProduction, ""))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is\n%v\nwant it to contain\n%s\nand no password", err, test.want)
			}
		})
	}
}

func TestExpand_NamesWhatIsLacking(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_SET", "hunter2")
	t.Setenv("GATEHOUSE_TEST_EMPTY", "")
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for value, want := range map[string]string{
		"{env.GATEHOUSE_TEST_SET}": "",
		"x":                        "",
		" ":                        "secret is empty",
		"postgres://{env.GATEHOUSE_TEST_EMPTY}:{env.GATEHOUSE_TEST_SET}@{env.GATEHOUSE_TEST_UNSET}/db": "secret: environment variable not set or empty: GATEHOUSE_TEST_EMPTY, " +
			"environment variable not set or empty: GATEHOUSE_TEST_UNSET",
		"{file." + nowhere + "}":                    "secret: file missing, unreadable or empty: " + nowhere,
		"{env.GATEHOUSE_TEST_SET}{nvm.GATEHOUSE}":   `secret: unrecognized placeholder {nvm.GATEHOUSE}; a variable of the environment is {env.NAME}, a file {file./run/secrets/NAME}`,
		"{env.GATEHOUSE_TEST_EMPTY}{nvm.GATEHOUSE}": `secret: environment variable not set or empty: GATEHOUSE_TEST_EMPTY`,
	} {
		_, err := expand("secret", value)
		if got := fmt.Sprint(err); want != "" && got != want || want == "" && err != nil {
			t.Errorf("%s: error is %s, want %s", value, got, want)
		}
	}
}

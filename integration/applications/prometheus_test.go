package applications_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const scrapeConfig = `global:
  scrape_interval: 1s
scrape_configs:
- job_name: guarded
  authorization:
    credentials_file: %[1]s
  static_configs:
  - targets: [%[2]s]
- job_name: by_client_credentials
  oauth2:
    client_id: robot
    client_secret: %[3]s
    token_url: http://%[2]s/.gatehouse/token
    endpoint_params:
      resource: http://%[2]s
  static_configs:
  - targets: [%[2]s]
`

// TestPrometheus scrapes an application through its guard, by a token in a file and by
// one that Prometheus gets itself.
func TestPrometheus(t *testing.T) {
	gateway.Soak(t)
	program := needs(t, "prometheus", "prometheus")
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "scraped{by=%q} 1\n", r.Header.Get("Remote-User"))
	}))
	t.Cleanup(application.Close)
	w := start(t, application.URL)
	folder := t.TempDir()
	token := w.token(t)
	file := write(t, filepath.Join(folder, "token"), token)
	config := write(t, filepath.Join(folder, "config.yml"), fmt.Sprintf(scrapeConfig, file, strings.TrimPrefix(w.site, "http://"), secret))
	address := fmt.Sprintf("127.0.0.1:%d", gateway.FreePort(t))
	serve(t, "http://"+address, exec.Command(program, "--config.file", config, "--storage.tsdb.path", filepath.Join(folder, "data"), "--web.listen-address", address)) //nolint:gosec // of the test's own making
	find := func(query string) bool {
		resp, err := direct.Get("http://" + address + "/api/v1/query?query=" + strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", " ", "%20", "=", "%3D").Replace(query)) //nolint:noctx // a test
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		var answer struct {
			Data struct {
				Result []json.RawMessage `json:"result"`
			} `json:"data"`
		}
		return json.NewDecoder(resp.Body).Decode(&answer) == nil && len(answer.Data.Result) > 0
	}
	for _, job := range []string{"guarded", "by_client_credentials"} {
		query := fmt.Sprintf(`scraped{job="%s", by="client:robot"}`, job)
		eventually(t, query, func() bool { return find(query) })
	}
	w.revoke(t, token)
	eventually(t, "the scrape fails", func() bool { return find(`up{job="guarded"} == 0`) })
	write(t, file, w.token(t))
	eventually(t, "the scrape works again", func() bool { return find(`up{job="guarded"} == 1`) })
}

package outbound

import "testing"

func TestWithLifetime(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"expires_in":3600,"a":1}`:         `{"expires_in":3600,"a":1}`,
		`{"a":1}`:                           `{"a":1}`,
		`{"expires_in":3600.0}`:             `{"expires_in":3600}`,
		`{"expires_in":3.6e3}`:              `{"expires_in":3600}`,
		`{"expires_in":"3600"}`:             `{"expires_in":3600}`,
		`{"expires_in":"3600.5"}`:           `{"expires_in":3600}`,
		`{"expires_in":""}`:                 `{}`,
		`{"expires_in":null}`:               `{}`,
		`{"expires_in":"soon"}`:             `{}`,
		`{"expires_in":true}`:               `{}`,
		`{"expires_in":{}}`:                 `{}`,
		`{"expires_in":1e300}`:              `{}`,
		`{"expires_in":99999999999}`:        `{}`,
		`access_token=a&expires_in=x`:       `access_token=a&expires_in=x`,
		`[{"expires_in":""}]`:               `[{"expires_in":""}]`,
		`{"error":"x","expires_in":"none"}`: `{"error":"x"}`,
	} {
		if got := string(withLifetime([]byte(in))); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func FuzzWithLifetime(f *testing.F) {
	f.Add([]byte(`{"expires_in":"3600","access_token":"a"}`))
	f.Add([]byte(`{"expires_in":{"a":[]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		once := withLifetime(body)
		if twice := withLifetime(once); string(twice) != string(once) {
			t.Errorf("%q becomes %q and then %q", body, once, twice)
		}
	})
}

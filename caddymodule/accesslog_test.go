package caddymodule

import "testing"

func TestHasSecret(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "code=x": true, "a=1&state=x": true, "%63ode=x": true, "CODE=x": true, "code": false, "code=": false,
		"return_to=%2Fx%3Fcode%3Dy": false, "user_code=BCDF-GHJK": true, "codes=x": false, "&&=&": false, "%zz=1&code=1": true,
		"grant_type=refresh_token&refresh_token=gtr_x": true, "client_secret=x": true, "client_id=x&password=y": true,
		"access_token=x": true, "code_verifier=x": true, "device_code=x": true, "client_assertion=x": true, "token_type_hint=x": false,
	} {
		if got := hasSecret(query); got != want {
			t.Errorf("%q: %v", query, got)
		}
	}
	if got := queryOf("https://a.test/cb?code=x#f"); got != "code=x" {
		t.Errorf("%q", got)
	}
}

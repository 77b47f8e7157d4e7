package caddymodule

import "testing"

func TestHasSecret(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "code=x": true, "a=1&state=x": true, "%63ode=x": true, "CODE=x": true, "code": false, "code=": false,
		"return_to=%2Fx%3Fcode%3Dy": false, "user_code=BCDF-GHJK": true, "codes=x": false, "&&=&": false, "%zz=1&code=1": true,
	} {
		if got := hasSecret(query); got != want {
			t.Errorf("%q: %v", query, got)
		}
	}
	if got := queryOf("https://a.test/cb?code=x#f"); got != "code=x" {
		t.Errorf("%q", got)
	}
}

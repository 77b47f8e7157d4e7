package vault

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func jwtOf(payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"RS256"}`)) + "." + b64([]byte(payload)) + ".c2ln"
}

func TestExpOf(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	tests := []struct {
		name  string
		token string
		want  time.Time
	}{
		{"JWT", jwtOf(`{"exp":1800000000}`), at(1800000000)},
		{"a fraction", jwtOf(`{"exp":1800000000.9}`), at(1800000000)},
		{"an exponent", jwtOf(`{"exp":18e8}`), at(1800000000)},
		{"beyond every calendar", jwtOf(`{"exp":1e300}`), latestExpiry},
		{"beyond every number", jwtOf(`{"exp":1e400}`), time.Time{}},
		{"zero", jwtOf(`{"exp":0}`), at(0)},
		{"negative", jwtOf(`{"exp":-1e300}`), at(0)},
		{"none", jwtOf(`{"iat":1800000000}`), time.Time{}},
		{"null", jwtOf(`{"exp":null}`), time.Time{}},
		{"text", jwtOf(`{"exp":"1800000000"}`), time.Time{}},
		{"no object", jwtOf(`[]`), time.Time{}},
		{"no JSON", jwtOf(`exp`), time.Time{}},
		{"opaque", "1//0gOpaqueTokenOfGoogle", time.Time{}},
		{"opaque with dots", "ya29.a.b", time.Time{}},
		{"encrypted (five parts)", "a.b.c.d.e", time.Time{}},
		{"empty", "", time.Time{}},
		{"too long", jwtOf(`{"exp":1800000000,"x":"` + strings.Repeat("x", maxJWTPayload) + `"}`), time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := expOf(tt.token); !got.Equal(tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzExpOf(f *testing.F) {
	for _, seed := range []string{jwtOf(`{"exp":1800000000}`), jwtOf(`{"exp":1e300}`), jwtOf(`{"exp":-5}`), "a.b.c", "..", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		exp := expOf(token)
		if exp.IsZero() {
			return
		}
		if exp.Before(time.Unix(0, 0)) || exp.After(latestExpiry) {
			t.Errorf("%q expires at %s, which no store holds", token, exp)
		}
	})
}

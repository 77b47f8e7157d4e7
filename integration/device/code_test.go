package device_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// enter types a code into the verification page.
func (w *world) enter(t *testing.T, user, code string) (status int, text string) {
	t.Helper()
	b := w.signedIn(t, 0, user)
	page := b.Open(w.issuer + "/device")
	page = b.Submit(page, b.Find(page, "user_code"), map[string]string{"user_code": code})
	return page.Status, page.Text()
}

func TestUserCode_WrongOnesGetAPageThatSaysWhy(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	cli := w.program(t, 0, "127.0.0.2", "cli")
	b := w.signedIn(t, 0, "alice")
	refused, delivered := cli.begin(), cli.begin()
	decide(t, b, refused, "refuse")
	decide(t, b, delivered, "approve")
	if a := cli.poll(delivered); a.status != http.StatusOK {
		t.Fatalf("%d %v", a.status, a.fields)
	}
	for name, test := range map[string]struct {
		code   string
		status int
		says   string
	}{
		"unknown":              {"BCDF-GHJK", http.StatusNotFound, "not known"},
		"refused before":       {refused.userCode, http.StatusNotFound, "answered already"},
		"used":                 {delivered.userCode, http.StatusNotFound, "answered already"},
		"too short":            {"BCDF-GHJ", http.StatusBadRequest, "eight letters"},
		"too long":             {"BCDF-GHJK-LMNP", http.StatusBadRequest, "eight letters"},
		"letters of none":      {"AEIO-UYAE", http.StatusBadRequest, "eight letters"},
		"digits":               {"1234-5678", http.StatusBadRequest, "eight letters"},
		"markup":               {"<script>alert(1)</script>", http.StatusBadRequest, "eight letters"},
		"a template":           {"{{.User}}{env.HOME}", http.StatusBadRequest, "eight letters"},
		"letters that look so": {"ВСDF-GHJK", http.StatusBadRequest, "eight letters"}, // Cyrillic
		"a NUL":                {"BCDF\x00GHJK", http.StatusBadRequest, "eight letters"},
		"no UTF-8":             {"BCDF\xff\xfeGHJK", http.StatusBadRequest, "eight letters"},
		"very long":            {strings.Repeat("B", 60_000), http.StatusBadRequest, "eight letters"},
	} {
		t.Run(name, func(t *testing.T) {
			page := b.Open(w.issuer + "/device")
			page = b.Submit(page, b.Find(page, "user_code"), map[string]string{"user_code": test.code})
			if page.Status != test.status || !strings.Contains(page.Text(), test.says) {
				t.Errorf("%d %s", page.Status, page.Text())
			}
			if strings.Contains(page.Body, "<script") || len(page.Body) > 30_000 {
				t.Error("the page repeats what was entered")
			}
		})
	}
}

func TestUserCode_IsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	f := w.program(t, 0, "127.0.0.2", "cli").begin()
	letters := strings.ReplaceAll(f.userCode, "-", "")
	for name, code := range map[string]string{
		"lower case": strings.ToLower(f.userCode),
		"no dash":    letters,
		"spaces":     "  " + letters[:2] + " " + letters[2:6] + "  " + letters[6:] + " ",
		"en dash":    letters[:4] + "–" + letters[4:],
		// better-auth#6143
		"non-breaking hyphen": letters[:4] + "\u2011" + letters[4:],
		"invisible spaces":    "\u200b" + letters[:4] + "\u00a0" + letters[4:] + "\ufeff",
		"quotes":              "\u201c" + f.userCode + "\u201d",
		"full width": strings.Map(func(r rune) rune {
			return r - '!' + '\uff01'
		}, f.userCode),
	} {
		t.Run(name, func(t *testing.T) {
			if status, text := w.enter(t, "alice", code); status != http.StatusOK || !strings.Contains(text, f.userCode) {
				t.Errorf("%d %s", status, text)
			}
		})
	}
}

func TestDeviceCode_WrongOnesAreInvalidGrantAndConsumeNothing(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	cli, other := w.program(t, 0, "127.0.0.2", "cli"), w.program(t, 0, "127.0.0.2", "other")
	f := cli.begin()
	decide(t, w.signedIn(t, 0, "alice"), f, "approve")
	forged := []byte(f.deviceCode)
	forged[len(forged)-2] ^= 1
	for name, code := range map[string]string{
		"short": "x", "forged": string(forged), "cut": f.deviceCode[:len(f.deviceCode)-1],
		"extended": f.deviceCode + "A", "invented": strings.Repeat("A", len(f.deviceCode)), "the user code": f.userCode,
		"long": strings.Repeat("A", 50_000), "no ASCII": "é\x00\xff" + f.deviceCode,
	} {
		t.Run(name, func(t *testing.T) {
			p := *cli
			p.t = t
			p.poll(flow{deviceCode: code}).want(t, http.StatusBadRequest, "invalid_grant")
		})
	}
	cli.poll(flow{}).want(t, http.StatusBadRequest, "invalid_request") // it is missing
	other.poll(f).want(t, http.StatusBadRequest, "invalid_grant")
	cli.post("token", url.Values{"grant_type": {grantDevice}, "device_code": {f.deviceCode, f.deviceCode}}).
		want(t, http.StatusBadRequest, "invalid_request")
	if a := cli.poll(f); a.status != http.StatusOK {
		t.Fatalf("after all that, the right poll is answered %d %v", a.status, a.fields)
	}
	again := cli.poll(f)
	if code := again.text("error"); again.status != http.StatusBadRequest || code != "invalid_grant" && code != "slow_down" {
		t.Errorf("a second poll is answered %d %v", again.status, again.fields)
	}
}

func TestPKCE_IsHonouredWhereItIsSent(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	cli := w.program(t, 0, "127.0.0.2", "cli")
	const ( // of RFC 7636, appendix B
		verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	)
	f := cli.begin("code_challenge", challenge, "code_challenge_method", "S256")
	plain := cli.begin()
	b := w.signedIn(t, 0, "alice")
	decide(t, b, f, "approve")
	decide(t, b, plain, "approve")

	cli.poll(f).want(t, http.StatusBadRequest, "invalid_grant")
	cli.poll(f, "code_verifier", "").want(t, http.StatusBadRequest, "invalid_grant")
	cli.poll(f, "code_verifier", strings.Repeat("a", 43)).want(t, http.StatusBadRequest, "invalid_grant")
	cli.poll(f, "code_verifier", challenge).want(t, http.StatusBadRequest, "invalid_grant")
	if a := cli.poll(f, "code_verifier", verifier); a.status != http.StatusOK {
		t.Errorf("with the verifier: %d %v", a.status, a.fields)
	}
	cli.poll(plain, "code_verifier", verifier).want(t, http.StatusBadRequest, "invalid_grant")
	if a := cli.poll(plain); a.status != http.StatusOK {
		t.Errorf("without PKCE: %d %v", a.status, a.fields)
	}

	for name, more := range map[string]url.Values{
		"plain":        {"code_challenge": {verifier}, "code_challenge_method": {"plain"}},
		"no method":    {"code_challenge": {challenge}},
		"short":        {"code_challenge": {"short"}, "code_challenge_method": {"S256"}},
		"no challenge": {"code_challenge": {""}, "code_challenge_method": {"S256"}},
		"two":          {"code_challenge": {challenge, challenge}, "code_challenge_method": {"S256"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := *cli
			p.t = t
			p.post("device_authorization", more).want(t, http.StatusBadRequest, "invalid_request")
		})
	}
}

func TestStart_IsRefusedClearly(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	for name, test := range map[string]struct {
		client string
		form   url.Values
		status int
		code   string
	}{
		"unknown client":   {"nobody", nil, http.StatusUnauthorized, "invalid_client"},
		"scope too wide":   {"other", url.Values{"scope": {"offline_access"}}, http.StatusBadRequest, "invalid_scope"},
		"foreign resource": {"cli", url.Values{"resource": {"https://elsewhere.example"}}, http.StatusBadRequest, "invalid_target"},
		"scope not ASCII":  {"cli", url.Values{"scope": {"opénid"}}, http.StatusBadRequest, "invalid_scope"},
		"scope twice":      {"cli", url.Values{"scope": {"openid", "profile"}}, http.StatusBadRequest, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{}
			maps.Copy(form, test.form)
			w.program(t, 0, "127.0.0.2", test.client).post("device_authorization", form).want(t, test.status, test.code)
		})
	}
}

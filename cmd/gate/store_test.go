package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newStore(t *testing.T) *store {
	t.Helper()
	return &store{folder: filepath.Join(t.TempDir(), "gatehouse"), sleep: sleep}
}

func save(t *testing.T, s *store, l *login) string {
	t.Helper()
	unlock, err := s.lock(t.Context(), l.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := s.save(l); err != nil {
		t.Fatal(err)
	}
	return s.path(l.Issuer)
}

func TestStore_KeepsLoginsToTheUser(t *testing.T) {
	s := newStore(t)
	want := &login{
		Issuer: "https://auth.example.com/.gatehouse", Client: "gate", RefreshToken: "gtr_x", Sites: []string{"https://app.example.com"},
		Access: map[string]access{"https://app.example.com": {"token", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}},
	}
	path := save(t, s, want)
	got, err := s.load(want.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := s.load("https://auth.example.com"); !errors.Is(err, errNoLogin) {
		t.Errorf("another issuer of the host: %v", err)
	}
	if !private {
		return
	}
	err = filepath.Walk(s.folder, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // that is the test
		t.Fatal(err)
	}
	if _, err := s.load(want.Issuer); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a login that others could read was left so: %v, %v", info.Mode(), err)
	}
}

func TestStore_CorruptFiles(t *testing.T) {
	const issuer = "https://auth.example.com"
	good := `{"version":1,"issuer":"` + issuer + `","client":"gate","refresh_token":"gtr_secret"}`
	for name, body := range map[string]string{
		"empty":          "",
		"half":           good[:len(good)/2],
		"not an object":  `"gtr_secret"`,
		"wrong type":     strings.Replace(good, `"gate"`, `7`, 1),
		"newer version":  strings.Replace(good, `:1`, `:2`, 1),
		"no issuer":      `{"version":1,"client":"gate"}`,
		"no client":      `{"version":1,"issuer":"` + issuer + `"}`,
		"http issuer":    strings.Replace(good, "https:", "http:", 1),
		"another issuer": strings.Replace(good, "auth.", "evil.", 1),
		"too large":      strings.Repeat(" ", maxLogin) + good,
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, clock: &testClock{}, folder: filepath.Join(t.TempDir(), "gatehouse")}
			s := &store{folder: w.folder, sleep: sleep}
			path := save(t, s, &login{Issuer: issuer, Client: "gate"})
			save(t, s, &login{Issuer: "https://other.example.com", Client: "gate", User: "alice"})
			if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"token"}, {"whoami"}, {"logout", issuer}, {"token", "--for", issuer}, {"list"}} {
				r := w.gate(args...).want(exitFailed, path, "cannot be used", "Delete that file")
				if strings.Contains(r.stderr+r.stdout, "secret") {
					t.Errorf("the error quotes the file: %s", r.stderr)
				}
			}
			w.gate("list").want(exitFailed, "https://other.example.com", "alice") // the others are shown
		})
	}
}

func TestStore_FailedSaveKeepsTheOld(t *testing.T) {
	s := newStore(t)
	path := save(t, s, &login{Issuer: "https://auth.example.com", Client: "gate", User: "old"})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.save(&login{Issuer: "https://auth.example.com", Client: "gate"}); err == nil {
		t.Fatal("a save that could not be done was said to be")
	}
	left, err := filepath.Glob(filepath.Join(s.folder, ".login-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

func TestStore_Lock(t *testing.T) {
	s := newStore(t)
	unlock, err := s.lock(t.Context(), "https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.lock(t.Context(), "https://b.example") // one login does not wait for another
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.lock(ctx, "https://a.example"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that is held: %v", err)
	}
	impatient := &store{folder: s.folder, sleep: func(context.Context, time.Duration) error { return nil }}
	if _, err := impatient.lock(t.Context(), "https://a.example"); err == nil || !strings.Contains(err.Error(), "another gate") {
		t.Errorf("a lock that is held for minutes: %v", err)
	}
	unlock()
	if unlock, err = s.lock(t.Context(), "https://a.example"); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestStore_NoFolder(t *testing.T) {
	w := &world{t: t, clock: &testClock{}}
	w.gate("list").want(exitFailed, "Set HOME")
	w.gate("login", "https://app.example.com").want(exitFailed, "Set HOME")
}

func FuzzStorePath(f *testing.F) {
	f.Add("https://auth.example.com/.gatehouse")
	f.Add("https://../../etc/passwd")
	f.Add("https://[::1]:80/\x00")
	f.Fuzz(func(t *testing.T, issuer string) {
		s := &store{folder: "/folder"}
		if path := s.path(issuer); filepath.Dir(path) != "/folder" || len(filepath.Base(path)) > 200 {
			t.Errorf("%q is kept in %q", issuer, path)
		}
	})
}

package sqlite_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// crashFile names the file that a child process of TestCrash works on.
const crashFile = "GATEHOUSE_TEST_CRASH_FILE"

// TestCrash kills a process while it rotates: what it was told is there
// afterwards, and whoever holds the last token it got can go on.
func TestCrash(t *testing.T) {
	if path := os.Getenv(crashFile); path != "" {
		rotateForever(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	id := crashSession(t, path)
	for round := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$")
		child.Env = append(os.Environ(), crashFile+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		told := 0
		lines := bufio.NewScanner(out)
		for n := 0; n < 50+20*round && lines.Scan(); n++ {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatalf("child said %q", lines.Text())
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it was told before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				told = n
			}
		}
		_ = child.Wait()
		s := migrated(t, path, sqlite.Options{})
		got, err := s.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if told == 0 || int(got.Generation) < told {
			t.Fatalf("generation is %d after the crash, the child was told %d", got.Generation, told)
		}
		r := crashRotation(id, uint32(told))
		r.Grace = time.Minute
		if _, err := s.Rotate(t.Context(), r); err != nil {
			t.Fatalf("rotating the last token: %v", err)
		}
	}
}

func crashSession(t *testing.T, path string) uuid.UUID {
	s := migrated(t, path, sqlite.Options{})
	n := benchSession()
	_, err := s.SignIn(t.Context(), tokenstore.SignIn{
		Identity: tokenstore.Identity{Issuer: "https://idp.example", Subject: "ann"}, NewSubject: "ann", Session: n,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n.ID
}

func crashRotation(id uuid.UUID, generation uint32) tokenstore.Rotation {
	sum := sha256.Sum256([]byte("secret"))
	return tokenstore.Rotation{ID: id, Generation: generation, SecretHash: sum[:], ClientID: "app"}
}

// rotateForever rotates the file's one session and prints each generation that
// it was told, until it is killed.
func rotateForever(t *testing.T, path string) {
	s := migrated(t, path, sqlite.Options{})
	list, err := s.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil || len(list) != 1 {
		t.Fatalf("listing: %v, error %v", list, err)
	}
	generation := list[0].Generation
	for {
		r, err := s.Rotate(t.Context(), crashRotation(list[0].ID, generation))
		if err != nil {
			t.Fatal(err)
		}
		generation = r.Session.Generation
		fmt.Println(generation)
	}
}

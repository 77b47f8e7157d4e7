package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// login is what a person's sign-in at one issuer left: one file.
type login struct {
	Version int    `json:"version"`
	Issuer  string `json:"issuer"`
	Client  string `json:"client"`
	// User is a name for people, as the issuer gave it.
	User         string `json:"user,omitempty"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// Sites that tokens were asked for, the one signed in for first.
	Sites []string `json:"sites,omitempty"`
	// Access tokens by resource; "" is the issuer's own.
	Access map[string]access `json:"access,omitempty"`
}

// access is an access token that is still good.
type access struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

const (
	loginVersion = 1
	maxLogin     = 1 << 20
	maxSites     = 64
)

// errNoLogin: there is no file for an issuer.
var errNoLogin = errors.New("not signed in")

// store is the folder of logins.
type store struct {
	folder string
	sleep  func(context.Context, time.Duration) error
}

var notInNames = regexp.MustCompile(`[^a-z0-9.-]+`)

// path of an issuer's file: readable, and by its hash unlike any other's.
func (s *store) path(issuer string) string {
	name := "issuer"
	if u, err := url.Parse(issuer); err == nil && u.Hostname() != "" {
		name = notInNames.ReplaceAllString(strings.ToLower(u.Hostname()), "_")
	}
	sum := sha256.Sum256([]byte(issuer))
	return filepath.Join(s.folder, name[:min(len(name), 100)]+"-"+hex.EncodeToString(sum[:6])+".json")
}

// load reads the login of an issuer, or errNoLogin.
func (s *store) load(issuer string) (*login, error) {
	l, err := read(s.path(issuer))
	if err == nil && l.Issuer != issuer {
		return nil, corrupt(s.path(issuer), "it is that of another issuer")
	}
	return l, err
}

func read(path string) (*login, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoLogin
	case err != nil:
		return nil, fmt.Errorf("reading a login: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxLogin:
		return nil, corrupt(path, "it is no file of gate's")
	}
	// A copy or a restored backup may be readable by others.
	if private && info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, fail(exitFailed, "chmod 600 "+path, "the login in %s is readable by others", path)
		}
	}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoLogin
	}
	if err != nil {
		return nil, fmt.Errorf("reading a login: %w", err)
	}
	l := &login{}
	if err := json.Unmarshal(body, l); err != nil {
		return nil, corrupt(path, "it is not JSON")
	}
	if l.Version != loginVersion {
		return nil, corrupt(path, fmt.Sprintf("it has version %d; this gate knows version %d", l.Version, loginVersion))
	}
	if _, err := parseAddress(l.Issuer); err != nil || l.Client == "" {
		return nil, corrupt(path, "it names no issuer or no client")
	}
	return l, nil
}

// corrupt never quotes the file, which may hold half a token.
func corrupt(path, why string) error {
	return fail(exitFailed, "Delete that file and sign in again: gate login URL", "the login in %s cannot be used: %s", path, why)
}

// all reads every login, in the order of their issuers. A file that cannot be
// used is reported to the second result and does not hide the others.
func (s *store) all() ([]*login, error) {
	if s.folder == "" {
		return nil, errNoFolder()
	}
	paths, err := filepath.Glob(filepath.Join(glob(s.folder), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing logins: %w", err)
	}
	var logins []*login
	var faults []error
	for _, path := range paths {
		l, err := read(path)
		switch {
		case errors.Is(err, errNoLogin):
		case err != nil:
			faults = append(faults, err)
		case s.path(l.Issuer) != path:
			faults = append(faults, corrupt(path, "it is that of another issuer"))
		default:
			logins = append(logins, l)
		}
	}
	slices.SortFunc(logins, func(a, b *login) int { return strings.Compare(a.Issuer, b.Issuer) })
	if len(faults) > 0 {
		return logins, faults[0]
	}
	return logins, nil
}

// glob quotes a folder's name for a pattern.
func glob(s string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func errNoFolder() error {
	return fail(exitFailed, "Set HOME or XDG_CONFIG_HOME.", "there is no folder to keep logins in")
}

// save writes a login so that readers see the old file or the new one, and no
// crash leaves half of one. The caller holds the lock.
func (s *store) save(l *login) error {
	l.Version = loginVersion
	body, err := json.MarshalIndent(l, "", "\t")
	if err != nil {
		return fmt.Errorf("writing a login: %w", err)
	}
	f, err := os.CreateTemp(s.folder, ".login-*") // CreateTemp makes it 0600
	if err != nil {
		return fmt.Errorf("writing a login: %w", err)
	}
	_, err = f.Write(append(body, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path(l.Issuer))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing a login: %w", err)
	}
	return nil
}

// remove deletes the login of an issuer. The caller holds the lock, whose file
// stays: a process that waits for it would else hold another file's lock.
func (s *store) remove(issuer string) error {
	if err := os.Remove(s.path(issuer)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting a login: %w", err)
	}
	return nil
}

const (
	lockPoll = 25 * time.Millisecond
	lockWait = 2 * time.Minute
)

// lock keeps other gates from an issuer's login until unlock is called.
func (s *store) lock(ctx context.Context, issuer string) (unlock func(), err error) {
	if s.folder == "" {
		return nil, errNoFolder()
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for logins: %w", err)
	}
	path := strings.TrimSuffix(s.path(issuer), ".json") + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking a login: %w", err)
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		locked, err := tryLock(f)
		if locked {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if err == nil && waited >= lockWait {
			err = fail(exitFailed, "Is another gate hanging? End it and try again.", "another gate holds %s", path)
		}
		if err == nil {
			err = s.sleep(ctx, lockPoll)
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
	}
}

// prune drops access tokens that have expired and bounds the rest.
func (l *login) prune(now time.Time) {
	for name, a := range l.Access {
		if !now.Before(a.Expires) || len(l.Access) > maxSites {
			delete(l.Access, name)
		}
	}
}

// remember that tokens were asked for a site.
func (l *login) remember(site string) {
	if site != "" && !slices.Contains(l.Sites, site) && len(l.Sites) < maxSites {
		l.Sites = append(l.Sites, site)
	}
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// pragma is one setting of a connection, and the value that SQLite reports
// when it took it.
type pragma struct {
	name, value, reported string
}

// pragmas are the settings of every connection. busy_timeout is in
// milliseconds: how long a statement waits for another process's write.
func pragmas(readOnly bool) []pragma {
	queryOnly := "0"
	if readOnly {
		queryOnly = "1"
	}
	return []pragma{
		{"busy_timeout", "5000", "5000"},
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "1", "1"},
		{"temp_store", "MEMORY", "2"},
		{"query_only", queryOnly, queryOnly},
	}
}

// dsn is the driver's name of a file with all settings. The path is escaped,
// so that nothing in it can be taken for a setting.
func dsn(path string, readOnly bool) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range pragmas(readOnly) {
		q.Add("_pragma", p.name+"("+p.value+")")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

// checkPragmas fails unless a connection has all settings: SQLite ignores a
// setting that it does not know, and keeps another journal mode where the
// file system cannot do WAL.
func checkPragmas(db *sql.DB, readOnly bool) error {
	for _, p := range pragmas(readOnly) {
		var got string
		if err := db.QueryRowContext(context.Background(), "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("reading setting %s: %w", p.name, err)
		}
		if got != p.reported {
			return fmt.Errorf("setting %s is %s instead of %s", p.name, strconv.Quote(got), strconv.Quote(p.reported))
		}
	}
	return nil
}

// createPrivate makes sure that the file exists and that only its owner can
// read it. SQLite gives the files beside it the same mode.
//
// A file that exists is not opened: closing it again would drop the POSIX
// locks that another store of this process holds on it.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

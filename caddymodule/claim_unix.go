//go:build unix

package caddymodule

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockAlone reports whether no other process has a lock, by taking one for itself.
func lockAlone(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// lockShared takes a lock beside others, instead of one for itself.
func lockShared(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
}

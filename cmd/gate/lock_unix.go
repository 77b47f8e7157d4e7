//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// private: the mode of a file says who can read it.
const private = true

// tryLock takes the lock of a file unless somebody holds it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}

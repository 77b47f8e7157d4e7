package postgrestest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// watchdogScript starts the server and waits for the test binary to say how to
// end, or to be gone: the pipe on its standard input closes even when the test
// binary is killed. (A parent-death signal would not do: the kernel sends it
// when the thread that started the child ends, and Go ends threads.)
//
// When the server has ended by itself it leaves the file "ended".
const watchdogScript = `
folder=$1; shift
trap '' INT TERM HUP
( "$@" & echo $! >"$folder/pid"; wait $!; : >"$folder/ended" ) &
read -r verdict
[ -e "$folder/ended" ] || kill -QUIT "$(cat "$folder/pid")" 2>/dev/null
wait
[ "$verdict" = keep ] || rm -rf "$folder"
`

type verdict string

const (
	keepFolder   verdict = "keep\n"
	removeFolder verdict = "remove\n"
)

// launch starts the watchdog, which starts the server.
func (s *Server) launch() error {
	for _, stale := range []string{"pid", "ended"} {
		if err := os.Remove(filepath.Join(s.folder, stale)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	end, leash, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = end.Close() }()

	args := []string{"-c", watchdogScript, "postgrestest", s.folder, s.binaries.postgres, "-D", s.data()}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	watchdog := exec.Command("/bin/sh", args...)
	watchdog.Dir = s.folder
	watchdog.Stdin, watchdog.Stdout, watchdog.Stderr = end, log, log
	watchdog.SysProcAttr = s.binaries.attributes()
	watchdog.SysProcAttr.Setsid = true // an interrupt at the terminal is not for the server
	if err := watchdog.Start(); err != nil {
		_ = leash.Close()
		return err
	}
	s.watchdog, s.leash = watchdog, leash
	return nil
}

// ended reports whether the server has ended by itself.
func (s *Server) ended() bool {
	_, err := os.Stat(filepath.Join(s.folder, "ended"))
	return err == nil
}

// release tells the watchdog to end the server, and waits for both.
func (s *Server) release(v verdict) {
	if s.watchdog == nil {
		return
	}
	_, _ = s.leash.WriteString(string(v))
	_ = s.leash.Close()
	_ = s.watchdog.Wait()
	s.watchdog = nil
}

// stop ends the server and removes its folder.
func (s *Server) stop() {
	s.release(removeFolder)
	_ = os.RemoveAll(s.folder) // a killed server has no watchdog that would
}

// childrenOf lists the processes that a process started; none where there is
// no /proc, and they then end by themselves.
func childrenOf(pid int) []int {
	id := strconv.Itoa(pid)
	text, err := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	if err != nil {
		return nil
	}
	var children []int
	for field := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			children = append(children, child)
		}
	}
	return children
}

// attributes make a process run as the user that the server runs as.
func (b binaries) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: b.user}
}

// own gives a folder to the user that the server runs as.
func (b binaries) own(folder string) error {
	if b.user == nil {
		return nil
	}
	return os.Chown(folder, int(b.user.Uid), int(b.user.Gid))
}

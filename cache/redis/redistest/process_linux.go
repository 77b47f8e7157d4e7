package redistest

import "syscall"

// endWithParent has the kernel end the server when the test binary dies
// without having run its cleanups.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

package main

import (
	"context"
	"os/exec"
	"runtime"
)

// openBrowser hands a page to the desktop. The address begins with http, so no
// program takes it for an option.
func openBrowser(_ context.Context, address string) error {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		cmd = exec.Command("open", address) //nolint:gosec,noctx // the browser outlives us
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address) //nolint:gosec,noctx // as above
	default:
		cmd = exec.Command("xdg-open", address) //nolint:gosec,noctx // as above
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

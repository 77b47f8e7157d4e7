package main

import "os/exec"

// configFile passes a text as standard input: Windows inherits no numbered
// descriptors. What curl is to send must come from a file there.
func configFile(text string) (*secretFile, error) {
	r, err := pipeOf(text)
	if err != nil {
		return nil, err
	}
	return &secretFile{argument: "-", Closer: r, attach: func(cmd *exec.Cmd) { cmd.Stdin = r }}, nil
}

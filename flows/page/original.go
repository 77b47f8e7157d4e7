package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
)

// Originals are the built-in templates by file name, each with a first line that says
// which one it is. A template that was made from one and keeps that line is warned about
// when the original has changed since.
func Originals() (map[string]string, error) {
	all := make(map[string]string)
	for _, file := range files() {
		text, err := builtin.ReadFile("templates/" + file)
		if err != nil {
			return nil, fmt.Errorf("reading built-in %s: %w", file, err)
		}
		all[file] = origin(file, text) + "\n" + string(text)
	}
	return all, nil
}

// origin is the line that says which original a template was made from.
func origin(file string, original []byte) string {
	sum := sha256.Sum256(original)
	return fmt.Sprintf("{{/* made from %s %s */}}", file, hex.EncodeToString(sum[:6]))
}

var originLine = regexp.MustCompile(`\A\{\{/\* made from (\S+) ([0-9a-f]{12}) \*/\}\}`)

// outdated are the replaced templates whose original has changed since they were made.
func outdated(override fs.FS) (names []string) {
	if override == nil {
		return nil
	}
	for _, file := range files() {
		text, err := fs.ReadFile(override, file)
		if err != nil {
			continue
		}
		original, err := builtin.ReadFile("templates/" + file)
		if line := originLine.FindString(string(text)); err == nil && line != "" && line != origin(file, original) {
			names = append(names, file)
		}
	}
	return names
}

package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var takenPort = regexp.MustCompile(`listen (?:tcp|tcp4|tcp6|udp) \S*?:(\d+): bind: address already in use`)

// portAdvice names the line of the Caddyfile to change when a port is taken: a
// newcomer's first run often meets another program on 8080 or another Caddy on
// 2019. It is "" when the failure is about something else.
func portAdvice(failure, file, caddyfile string) string {
	taken := takenPort.FindStringSubmatch(failure)
	if taken == nil {
		return ""
	}
	port := taken[1]
	lines := strings.Split(caddyfile, "\n")
	i, err := lineOf(lines, port)
	switch {
	case err == nil:
		return fmt.Sprintf("Port %s is taken by another program. Choose another one in line %d of %s:\n\n\t%s\n",
			port, i+1, file, strings.TrimSpace(lines[i]))
	case port == "2019":
		return "Port 2019, Caddy's admin API, is taken, probably by another Caddy. Choose another one: write the line\n\n" +
			"\tadmin localhost:2020\n\nin the first block of " + nameOf(file) + ", or stop the other Caddy.\n"
	}
	return fmt.Sprintf("Port %s is taken by another program. Choose another one in %s, or stop that program.\n", port, nameOf(file))
}

var errNoLine = errors.New("no such line")

// lineOf finds the line whose first words name a port: a site's address, or the
// option admin.
func lineOf(lines []string, port string) (int, error) {
	i := slices.IndexFunc(lines, func(line string) bool {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "reverse_proxy") {
			return false
		}
		_, rest, ok := strings.Cut(line, ":"+port)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], " ,/{"))
	})
	if i < 0 {
		return 0, errNoLine
	}
	return i, nil
}

func nameOf(file string) string {
	if file == "" {
		return "the configuration"
	}
	return file
}

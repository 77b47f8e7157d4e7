package page

import "strings"

// Browser names the program and the system of a User-Agent header in plain
// words: "Firefox on Windows". It is a help to recognise one's own sessions and
// no proof of anything: the header holds what its sender likes. What it does
// not know is shown as it is, up to the first space; "" is "Unknown browser".
func Browser(userAgent string) string {
	ua, _ := clip(userAgent, 512)
	program := first(ua, programs)
	if program == "" {
		program, _, _ = strings.Cut(line(ua, maxName), " ")
	}
	if program == "" {
		return "Unknown browser"
	}
	if system := first(ua, systems); system != "" {
		return program + " on " + system
	}
	return program
}

type token struct{ sign, name string }

// In order: most browsers name those before them, too.
var programs = []token{
	{"Edg/", "Edge"},
	{"EdgA/", "Edge"},
	{"EdgiOS/", "Edge"},
	{"OPR/", "Opera"},
	{"Vivaldi/", "Vivaldi"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"FxiOS/", "Firefox"},
	{"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"HeadlessChrome/", "Chrome"},
	{"Chromium/", "Chromium"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
}

var systems = []token{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"CrOS", "ChromeOS"},
	{"Windows", "Windows"},
	{"Macintosh", "Mac"},
	{"darwin", "Mac"},
	{"Linux", "Linux"},
	{"linux", "Linux"},
}

func first(s string, list []token) string {
	for _, t := range list {
		if strings.Contains(s, t.sign) {
			return t.name
		}
	}
	return ""
}

// Package chromium drives a real browser: Debian's chromium, headless, with an
// empty profile, by the DevTools protocol.
package chromium

// Package browser is an HTTP client that behaves as a browser does, as far as
// the gateway can tell: a cookie jar, the headers of a navigation, redirects
// followed one by one and remembered, forms found in pages and submitted. It is
// quick, and shows a test everything that travels; package chromium is a real
// browser.
package browser

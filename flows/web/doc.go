// Package web is HTTP as all of our endpoints see it: the request as its client sent
// it, what kind of program that is, cookies, issuers and origins, addresses to return
// to, form tokens, and the answers that endpoints share. It knows no sign-in and no
// token.
package web

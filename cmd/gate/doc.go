// Command gate signs people in from a terminal and calls protected sites with
// the tokens that they get.
//
//	gate login https://app.example.com
//	gate curl https://app.example.com/api/items
//
// It needs nothing but the address of a protected site: the site's answer names
// its metadata (RFC 9728), which names the issuer, whose metadata (RFC 8414)
// names the endpoints of the device flow (RFC 8628). One login per issuer serves
// all of its sites: an access token is narrowed to one site by the parameter
// resource (RFC 8707) when it is fetched.
//
// Logins are kept in the folder gatehouse of the user's configuration folder,
// one file per issuer, readable by the user alone. A lock beside each file makes
// parallel processes refresh once.
//
// Exit codes: 0 done; 1 something else went wrong; 2 the command line is wrong;
// 3 sign in (again); 4 a person or a rule refused; 5 a server could not be
// reached; 130 interrupted. `gate curl` ends with curl's own code once curl runs.
package main

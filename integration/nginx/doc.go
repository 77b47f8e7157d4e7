// Package nginx runs Debian's nginx as the proxy that ends TLS in front of a gateway,
// with a certificate of its own that is good for any name.
//
//	front := nginx.Start(t, nginx.Options{Upstream: "127.0.0.1:8080", Names: []string{"app.corp.test"}})
package nginx

package outbound

import (
	"net/http"
	"net/url"
)

// SetProxy gives a new client a proxy, as the environment does.
func SetProxy(client *http.Client, proxy string) {
	u, err := url.Parse(proxy)
	if err != nil {
		panic(err)
	}
	client.Transport.(cappedTransport).next.(*http.Transport).Proxy = http.ProxyURL(u)
}

// HasProxy reports whether a client asks somebody for a proxy.
func HasProxy(client *http.Client) bool {
	return client.Transport.(cappedTransport).next.(*http.Transport).Proxy != nil
}

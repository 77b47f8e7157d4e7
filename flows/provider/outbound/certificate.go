package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// IsUntrusted reports whether a server's certificate could not be verified: no retry
// mends that.
func IsUntrusted(err error) bool {
	for _, is := range []func(error) bool{
		isA[*tls.CertificateVerificationError], isA[x509.UnknownAuthorityError], isA[x509.HostnameError], isA[x509.CertificateInvalidError],
	} {
		if is(err) {
			return true
		}
	}
	return false
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
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

// IsPlainHTTP reports whether a server that was spoken to by TLS answered in clear.
func IsPlainHTTP(err error) bool {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && string(record.RecordHeader[:]) == "HTTP/" || errors.Is(err, http.ErrSchemeMismatch)
}

// IsTimeout reports whether a server did not answer in time. The texts of such errors
// differ by which of several clocks was the first.
func IsTimeout(err error) bool {
	slow, ok := errors.AsType[net.Error](err)
	return ok && slow.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

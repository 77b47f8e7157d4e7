package registration

import (
	"errors"
	"fmt"
)

// The errors of RFC 7591, section 3.2.2. What is said beside them may be told the client.
var (
	// ErrMetadata is invalid_client_metadata.
	ErrMetadata = errors.New("invalid_client_metadata")
	// ErrRedirectURI is invalid_redirect_uri.
	ErrRedirectURI = errors.New("invalid_redirect_uri")
)

// Error is one of the two with what is wrong.
type Error struct {
	// Code is ErrMetadata or ErrRedirectURI.
	Code error
	// Description for the developer of the client.
	Description string
}

func (e *Error) Error() string { return e.Code.Error() + ": " + e.Description }

// Unwrap is the code.
func (e *Error) Unwrap() error { return e.Code }

func invalidMetadata(format string, args ...any) error {
	return &Error{Code: ErrMetadata, Description: fmt.Sprintf(format, args...)}
}

func invalidRedirect(format string, args ...any) error {
	return &Error{Code: ErrRedirectURI, Description: fmt.Sprintf(format, args...)}
}

package flows

import "crypto/subtle"

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

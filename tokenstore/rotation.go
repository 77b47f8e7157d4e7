package tokenstore

import (
	"bytes"
	"cmp"
	"math"
	"time"
)

// Validate refuses a rotation that no store may try.
func (r Rotation) Validate() error {
	return cmp.Or(
		ValidateText("client id", r.ClientID),
		ValidateText("confirmation key", r.Cnf),
		faultIf(r.Generation == math.MaxUint32, "generation", "has no successor"),
	)
}

// Judge tells what is to become of a presented refresh token whose session is
// s, in the order that [Sessions] gives for Rotate. With retry it is a
// repetition inside the grace, to be answered with s as it is. Without retry
// and error the session is to be rotated: the token is of its current
// generation, or of one that the row has not reached. ErrReused: the family is
// to be revoked. Any other error is the answer, and nothing changes.
func (r Rotation) Judge(s Session) (retry bool, err error) {
	if !bytes.Equal(s.SecretHash, r.SecretHash) || s.ClientID != r.ClientID || s.Cnf != r.Cnf {
		return false, ErrMismatch
	}
	if err := s.Err(); err != nil {
		return false, err
	}
	switch {
	case r.Generation >= s.Generation:
		return false, nil
	case r.Generation+1 == s.Generation && s.Now.Before(s.RotatedAt.Add(r.Grace)):
		return true, nil
	}
	return false, ErrReused
}

// ValidateUnrotation refuses what cannot have come from a [RotationResult].
func ValidateUnrotation(generation uint32, rotatedAt time.Time) error {
	return cmp.Or(
		validTime("time of rotation", rotatedAt),
		faultIf(generation == 0 || rotatedAt.IsZero(), "rotation", "never happened"),
	)
}

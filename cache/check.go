package cache

import (
	"fmt"
	"time"
)

// Sizes that every implementation holds callers to; what is beyond is
// [ErrInvalid].
const (
	// MaxKey is the most bytes of a flow's or alias's name, which are
	// printable ASCII, and of an owner, which is any bytes.
	MaxKey = 200
	// MaxProof is the most bytes of a proof. A digest has 32 to 64.
	MaxProof = 256
	// MaxCounterKey is the most bytes of a counter's or guard's key.
	MaxCounterKey = 512
	// MaxValidity is the longest that a flow or an alias can be valid.
	MaxValidity = 24 * time.Hour
	// MaxInterval is the longest polling interval to start with.
	MaxInterval = time.Hour
	// MaxWindow is the longest window of a counter and life of a guard.
	MaxWindow = 31 * 24 * time.Hour
)

// Check returns an [ErrInvalid] that names the first field beyond its
// documented size.
func (f NewFlow) Check() error {
	if err := CheckKey(f.Key); err != nil {
		return err
	}
	if f.State != Pending && f.State != Ready {
		return fmt.Errorf("flow starts in state %q: %w", f.State, ErrInvalid)
	}
	if f.Interval < 0 || f.Interval > MaxInterval {
		return fmt.Errorf("interval of a flow: %w", ErrInvalid)
	}
	if err := checkValidity(f.Validity); err != nil {
		return err
	}
	return checkContent(f.Value, f.Proof, f.Owner)
}

// Check returns an [ErrInvalid] that names the first field beyond its
// documented size. A flow moves forward only, or changes within its state.
func (t Transition) Check() error {
	if err := CheckKey(t.Key); err != nil {
		return err
	}
	switch {
	case t.From == Pending && (t.To == Pending || t.To == Ready || t.To == Done || t.To == Error):
	case t.From == Ready && (t.To == Ready || t.To == Done || t.To == Error):
	default:
		return fmt.Errorf("transition from %q to %q: %w", t.From, t.To, ErrInvalid)
	}
	if t.Validity != 0 {
		if err := checkValidity(t.Validity); err != nil {
			return err
		}
	}
	if len(t.Note) > MaxValue {
		return fmt.Errorf("note of %d bytes: %w", len(t.Note), ErrInvalid)
	}
	return checkContent(t.Value, t.Proof, t.Owner)
}

// Check returns an [ErrInvalid] for a counter beyond its documented sizes.
func (c Count) Check() error {
	if c.Limit < 1 {
		return fmt.Errorf("limit of a counter: %w", ErrInvalid)
	}
	return CheckCounter(c.Key, c.Window)
}

// CheckKey returns an [ErrInvalid] unless key is 1 to [MaxKey] bytes of
// printable ASCII.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrInvalid)
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return fmt.Errorf("key is not printable ASCII: %w", ErrInvalid)
		}
	}
	return nil
}

// CheckProof returns an [ErrInvalid] for what no flow's proof or owner can be.
func CheckProof(proof []byte, owner string) error {
	return checkContent(nil, proof, owner)
}

// CheckMark returns an [ErrInvalid] if mark is not a mark of a redemption.
func CheckMark(mark []byte) error {
	if len(mark) != 0 && len(mark) != MarkSize {
		return fmt.Errorf("mark of %d bytes: %w", len(mark), ErrInvalid)
	}
	return nil
}

// CheckAlias returns an [ErrInvalid] for an alias beyond its documented sizes.
func CheckAlias(alias, target string, validity time.Duration) error {
	if err := CheckKey(alias); err != nil {
		return err
	}
	if err := CheckKey(target); err != nil {
		return err
	}
	return checkValidity(validity)
}

// CheckCounter returns an [ErrInvalid] for the key of a counter or guard, or
// for how long it is to be remembered.
func CheckCounter(key string, window time.Duration) error {
	if key == "" || len(key) > MaxCounterKey {
		return fmt.Errorf("counter key of %d bytes: %w", len(key), ErrInvalid)
	}
	if window < time.Millisecond || window > MaxWindow {
		return fmt.Errorf("window of %v: %w", window, ErrInvalid)
	}
	return nil
}

func checkValidity(d time.Duration) error {
	if d < time.Millisecond || d > MaxValidity {
		return fmt.Errorf("validity of %v: %w", d, ErrInvalid)
	}
	return nil
}

func checkContent(value, proof []byte, owner string) error {
	if len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes: %w", len(value), ErrInvalid)
	}
	if len(proof) > MaxProof {
		return fmt.Errorf("proof of %d bytes: %w", len(proof), ErrInvalid)
	}
	if len(owner) > MaxKey {
		return fmt.Errorf("owner of %d bytes: %w", len(owner), ErrInvalid)
	}
	return nil
}

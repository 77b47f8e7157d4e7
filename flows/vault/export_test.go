package vault

import "time"

// SetLaterFor sets how long a vault tries in the background what a store that is
// away did not take.
func (v *Vault) SetLaterFor(d time.Duration) { v.laterFor = d }

//go:build lab || labusb

package sound

import "time"

// patience is how long a condition is waited for.
const patience = 2 * time.Minute

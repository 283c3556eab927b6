package renewal

import (
	"cmp"
	"time"
)

// Limits bound what a Source does. A zero is the default in brackets.
type Limits struct {
	// OrdersAtOnce [4] are placed by this process at the same time.
	OrdersAtOnce int
	// IssuedPerHost [4] certificates are ordered for a host within 7 days, or within a
	// certificate's lifetime where that is less than half of it. An order of unknown
	// outcome counts as one issued, unless its end was ErrUnissued.
	IssuedPerHost int
	// FailedPerHost [4] orders for a host may fail within an hour.
	FailedPerHost int
	// OrdersPerAccount [250] are placed within 3 hours.
	OrdersPerAccount int
	// Order [5 min] is how long one order may take.
	Order time.Duration
	// StoreCall [5 s] is how long one call to the store may take.
	StoreCall time.Duration
	// Look [30 s] is the least pause between two looks at the store, for what another
	// replica has renewed, and at the clock. Up to twice that is drawn; a replica that
	// waits for another's order looks every 1 to 2 s.
	Look time.Duration
	// Lease [60 s] is how long a lease lives without being renewed, and so after what
	// time a replica that died while ordering is replaced.
	Lease time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		OrdersAtOnce:     max(1, cmp.Or(l.OrdersAtOnce, 4)),
		IssuedPerHost:    max(1, cmp.Or(l.IssuedPerHost, 4)),
		FailedPerHost:    max(1, cmp.Or(l.FailedPerHost, 4)),
		OrdersPerAccount: max(1, cmp.Or(l.OrdersPerAccount, 250)),
		Order:            cmp.Or(l.Order, 5*time.Minute),
		StoreCall:        cmp.Or(l.StoreCall, 5*time.Second),
		Look:             cmp.Or(l.Look, 30*time.Second),
		Lease:            cmp.Or(l.Lease, time.Minute),
	}
}

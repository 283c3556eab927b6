package session

// Figures count what a Manager has done since it was made.
type Figures struct {
	FromMemory  uint64 // cookies that were validated, or found invalid, from memory
	FromStore   uint64 // by the store
	Refused     uint64 // not at all: the store did not say
	Begun       uint64 // sessions, rotations included
	Ended       uint64 // sign-outs; one everywhere counts once
	StoreErrors uint64 // calls that failed, those not made while the store is away included
	Remembered  int    // sessions in memory now
}

// Figures are those of this moment.
func (m *Manager) Figures() Figures {
	return Figures{
		FromMemory: m.fromMemory.Load(), FromStore: m.fromStore.Load(), Refused: m.refused.Load(),
		Begun: m.begun.Load(), Ended: m.ended.Load(), StoreErrors: m.store.failures.Load(),
		Remembered: m.sessions.count(),
	}
}

package session

// Another returns one more handle on a store of NewMemory.
func Another(s Store) Store { return &memoryHandle{data: s.(*memoryHandle).data} }

// MemoryRecords is how many records a store of NewMemory keeps, expired ones included.
func MemoryRecords(s Store) int { return len(s.(*memoryHandle).data.records) }

// MemoryCounters is how many counters it keeps.
func MemoryCounters(s Store) int { return len(s.(*memoryHandle).data.counters) }

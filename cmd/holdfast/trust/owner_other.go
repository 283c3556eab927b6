//go:build !unix

package trust

// ownerOf knows owners of Unix alone.
func ownerOf(string) (uid int, ok bool) { return 0, false }

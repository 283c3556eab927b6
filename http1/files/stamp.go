package files

import (
	"io/fs"
	"os"
	"time"
)

// A stamp is what a descriptor says of its file: equal ones mean equal content, as far as
// a filesystem can tell.
type stamp struct {
	size     int64
	modified time.Time
	changed  int64 // when anything of it changed, in Unix nanoseconds; 0 where that is not told
	info     fs.FileInfo
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{size: info.Size(), modified: info.ModTime(), changed: changeTime(info), info: info}
}

// same tells whether both are of one file in one state.
func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.modified.Equal(t.modified) && s.changed == t.changed && os.SameFile(s.info, t.info)
}

// stands tells whether the file of s, which is t by now, still has the content it had. A change of
// the inode is one of the content, unless the inode tells another reason: a name more or less,
// since the file was replaced or removed, or another mode or owner.
func (s stamp) stands(t stamp) bool {
	return s.size == t.size && s.modified.Equal(t.modified) && (s.changed == t.changed || relabeled(s.info, t.info))
}

// telling tells whether a later state of the file will have another stamp, seen from now:
// its last change is longer ago than the filesystem's clock is coarse.
func (s stamp) telling(now time.Time) bool {
	if s.changed == 0 && constant(s.modified) {
		return false // whoever rewrites it may well give it the same time again
	}
	last := s.modified
	if changed := time.Unix(0, s.changed); s.changed != 0 && changed.After(last) {
		last = changed
	}
	return now.Sub(last) >= clockOf(s.modified) && s.modified.Unix() < now.Unix()
}

package files

import (
	"strconv"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

const (
	// fineClock is how far apart two writes must be for their nanosecond times to differ
	// for certain: the kernel stamps files once a tick, which is at most 10 ms.
	fineClock = 50 * time.Millisecond
	// coarseClock is the same where times are whole seconds, or every second one (FAT).
	coarseClock = 2 * time.Second
)

// constantTimes is when a modification time begins to say something. Reproducible builds
// stamp all files with 0, 1 or zip's epoch, 1980-01-01 in some time zone.
var constantTimes = time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC)

// constantStep is what divides the later constants: midnights in any time zone (Gradle's
// 1980-02-01, Bazel's 2010-01-01, 2000-01-01), and npm's 1985-10-26T08:15:00Z.
const constantStep = 15 * time.Minute

// constant tells a time that builds stamp on all that they make, so that two states of a file
// share it. Of other files, one in 900 with whole seconds has such a time, and costs a hash.
func constant(modified time.Time) bool {
	return modified.Before(constantTimes) || modified.Equal(modified.Truncate(constantStep))
}

// validators are what tells one state of a file from another (RFC 9110 §8.8).
type validators struct {
	etag     string    // as it is sent; "" for none
	modified time.Time // in whole seconds; zero for none
	date     string    // the same as it is sent
	settled  bool      // modified cannot stand for two states: its second is over
}

// validatorsOf describes a file of that size and modification time.
func validatorsOf(size int64, modified, now time.Time) validators {
	if constant(modified) {
		return validators{}
	}
	v := validators{etag: entityTag(size, modified, now.Sub(modified) < clockOf(modified))}
	if modified.Unix() <= now.Unix() {
		v.modified = modified.Truncate(time.Second).UTC()
		v.date = formatDate(v.modified)
		v.settled = modified.Unix() < now.Unix()
	}
	return v
}

// clockOf is how far apart two writes must be for their times to differ for certain, on a
// filesystem that stamped a file with that time.
func clockOf(modified time.Time) time.Duration {
	if modified.Nanosecond() == 0 {
		return coarseClock
	}
	return fineClock
}

// entityTag is "SIZE-NANOSECONDS" in hexadecimal.
func entityTag(size int64, modified time.Time, weak bool) string {
	b := make([]byte, 0, 40)
	if weak {
		b = append(b, "W/"...)
	}
	b = strconv.AppendInt(append(b, '"'), size, 16)
	b = strconv.AppendInt(append(b, '-'), modified.UnixNano(), 16)
	return string(append(b, '"'))
}

// set puts the validators into a response.
func (v validators) set(w *http1.Response) {
	if v.etag != "" {
		w.Set("ETag", v.etag)
	}
	if v.date != "" {
		w.Set("Last-Modified", v.date)
	}
}

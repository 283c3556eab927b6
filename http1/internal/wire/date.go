package wire

// The range of an IMF-fixdate, whose year has four digits: from 0001-01-01 00:00:00 to
// 9999-12-31 23:59:59 UTC, in seconds since 1970.
const (
	minDate int64 = -62135596800
	maxDate int64 = 253402300799
)

// DateBytes is the length of what AppendDate appends.
const DateBytes = len("Sun, 06 Nov 1994 08:49:37 GMT")

// AppendDate appends a time, in seconds since 1970-01-01 00:00:00 UTC, as IMF-fixdate
// (RFC 9110 §5.6.7): always DateBytes bytes. A time outside of the years 1 to 9999 becomes
// the nearest inside.
func AppendDate(dst []byte, unix int64) []byte {
	unix = min(max(unix, minDate), maxDate) - minDate // from here on nothing is negative
	days, secs := int(unix/86400), int(unix%86400)
	year, month, day := civil(days)
	const weekdays, months = "MonTueWedThuFriSatSun", "JanFebMarAprMayJunJulAugSepOctNovDec"
	wd := days % 7 * 3 // 0001-01-01 was a Monday
	dst = append(dst, weekdays[wd:wd+3]...)
	dst = append(dst, ',', ' ')
	dst = append2(dst, day, ' ')
	dst = append(dst, months[month*3:month*3+3]...)
	dst = append(dst, ' ', digit(year/1000), digit(year/100))
	dst = append2(dst, year%100, ' ')
	dst = append2(dst, secs/3600, ':')
	dst = append2(dst, secs/60%60, ':')
	dst = append2(dst, secs%60, ' ')
	return append(dst, "GMT"...)
}

func digit(n int) byte { return byte('0' + n%10) }

// append2 appends the two digits of n and a byte behind them.
func append2(dst []byte, n int, sep byte) []byte {
	return append(dst, digit(n/10), digit(n), sep)
}

// civil turns days since 0001-01-01 into a date of the Gregorian calendar, month from 0.
// It counts years from March, so that the leap day comes last: then the days before a
// month are a straight line, 153 for every five months.
func civil(days int) (year, month, day int) {
	const perCycle, perCentury = 146097, 36524 // days of 400 and of 100 years
	days += 306                                // from 0000-03-01
	cycle := days / perCycle
	rest := days % perCycle
	years := (rest - rest/1460 + rest/perCentury - rest/(perCycle-1)) / 365
	rest -= 365*years + years/4 - years/100
	fromMarch := (5*rest + 2) / 153
	day = rest - (153*fromMarch+2)/5 + 1
	year = cycle*400 + years
	if fromMarch >= 10 {
		year++
	}
	return year, (fromMarch + 2) % 12, day
}

package account

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of the parameters that a stored hash may ask for. A hash comes from a file to import
// or from a store that others write: it must not decide about this process's memory. 64 MiB
// is the larger figure that RFC 9106 §4 has for ordinary machines.
const (
	memoryMostKiB  = 64 << 10
	memoryLeastKiB = 8 // for each lane (RFC 9106 §3.1)
	passesMost     = 16
	lanesMost      = 16
	saltMostBytes  = 64
	sumLeastBytes  = 16
	sumMostBytes   = 64
	phcBytes       = 256
)

// errHash is of a stored hash that cannot be read. It does not quote it.
var errHash = errors.New("account: not an argon2id hash of version 19 within this server's bounds")

// A Cost is how much a password's hash takes (RFC 9106 §3.1). The zero Cost is 19 MiB, two
// passes and one lane, which OWASP's Password Storage Cheat Sheet names as the least.
type Cost struct {
	MemoryKiB uint32 // 8 KiB for each lane to 64 MiB
	Passes    uint32 // 1 to 16
	Lanes     uint8  // 1 to 16
}

// orDefault is c, or the usual cost for the zero Cost.
func (c Cost) orDefault() Cost {
	if c == (Cost{}) {
		return Cost{MemoryKiB: 19 << 10, Passes: 2, Lanes: 1}
	}
	return c
}

// work is what a hash's time grows with: KiB that are filled, all passes together.
func (c Cost) work() uint64 { return uint64(c.MemoryKiB) * uint64(c.Passes) }

// check tells whether the cost is within the bounds.
func (c Cost) check() error {
	if c.Lanes < 1 || c.Lanes > lanesMost || c.Passes < 1 || c.Passes > passesMost ||
		c.MemoryKiB < memoryLeastKiB*uint32(c.Lanes) || c.MemoryKiB > memoryMostKiB {
		return fmt.Errorf("account: a hash cannot take %d KiB, %d passes and %d lanes: 8 KiB for each lane to 64 MiB, 1 to 16 passes, 1 to 16 lanes",
			c.MemoryKiB, c.Passes, c.Lanes)
	}
	return nil
}

// A digest is a stored hash, taken apart.
type digest struct {
	cost Cost
	salt []byte
	sum  []byte
}

// String is the PHC string format's text: "$argon2id$v=19$m=19456,t=2,p=1$salt$sum".
func (d digest) String() string {
	raw := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", d.cost.MemoryKiB, d.cost.Passes, d.cost.Lanes,
		raw.EncodeToString(d.salt), raw.EncodeToString(d.sum))
}

// parseDigest reads what String wrote: its parameters are in that order and are all there.
func parseDigest(text string) (d digest, err error) {
	parts := strings.Split(text, "$")
	if len(text) > phcBytes || strings.ContainsAny(text, "\r\n") || // which base64 passes over
		len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return digest{}, errHash
	}
	if d.cost, err = parseCost(parts[3]); err != nil {
		return digest{}, err
	}
	var errs [2]error
	d.salt, errs[0] = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	d.sum, errs[1] = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errs[0] != nil || errs[1] != nil || len(d.salt) < 8 || len(d.salt) > saltMostBytes ||
		len(d.sum) < sumLeastBytes || len(d.sum) > sumMostBytes {
		return digest{}, errHash
	}
	return d, nil
}

// parseCost reads "m=19456,t=2,p=1".
func parseCost(text string) (c Cost, err error) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return Cost{}, errHash
	}
	var values [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(parts[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || digits[0] == '0' || digits[0] == '+' {
			return Cost{}, errHash
		}
		values[i] = uint32(n)
	}
	if values[2] > lanesMost {
		return Cost{}, errHash
	}
	c = Cost{MemoryKiB: values[0], Passes: values[1], Lanes: uint8(values[2])}
	if c.check() != nil {
		return Cost{}, errHash
	}
	return c, nil
}

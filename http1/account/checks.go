package account

import "errors"

// CheckGlob tells whether Config.Protect may have the glob: for whoever reads one from a file
// and wants to say which of them is wrong.
func CheckGlob(glob string) error {
	_, err := newProtection([]string{glob})
	return err
}

// CheckPrefix tells whether Config.Prefix may be the path.
func CheckPrefix(prefix string) error {
	c := Config{Prefix: prefix, SignUp: SignUpClosed, Home: prefix + "account"}
	return c.check()
}

// CheckHome tells whether a sign-in may lead to the path, below the pages of the prefix or
// anywhere else on the site.
func CheckHome(home, prefix string) error {
	if safeNext(home, prefix, "") == "" {
		return errors.New("account: the home is not a path of this site that one may come to")
	}
	return nil
}

// Check tells whether a quota can be counted; the zero Quota, which is none, can.
func (q Quota) Check() error { return q.check() }

// Covering is a test for paths that a request may have: whether the glob protects them. The
// glob is one that CheckGlob admits; any other covers nothing.
func Covering(glob string) func(path string) bool {
	p, err := newProtection([]string{glob})
	if err != nil {
		return func(string) bool { return false }
	}
	return p.covers
}

// Package account is a site's members: who they are, how they sign in, and how much they may
// ask for.
//
// [Accounts] is the middleware. It serves the pages below its prefix ("/-/sign-in" and so on),
// lets nobody without a session through to the paths that it protects, and counts the members'
// requests there. [Members] are the members' records in a session.Store, for the pages and for
// the command line alike.
//
// # What an attacker meets
//
// A password is stored as argon2id (RFC 9106) with its parameters. At most a few passwords are
// hashed at once, so a flood of sign-ins costs a fixed memory, and whoever finds the queue full
// is told to come back and has lost no attempt. Who guesses is counted by address, by address and
// name, and by name, over windows of growing length; see [Limits]. An unknown name gets the same
// answer as a wrong password after the same time, whatever the member's hash costs. That a name is taken can
// be found out by signing up, as everywhere; those attempts are counted too.
//
// A post from another origin is refused (Sec-Fetch-Site, Origin). The page that follows a
// sign-in is on this site. Only HTTPS carries a session or a password.
//
// # Order
//
// [Accounts] decides by the path that it sees. It belongs behind whatever rewrites paths and
// directly in front of the handlers that it protects, and behind session.Manager.Attach.
// A symbolic link, or a rule behind it, that leads from a public path to a protected file
// makes that file public.
package account

// Package vhost serves several hosts from one server, and sends paths elsewhere.
//
// [Hosts] finds a request's site by its host, and answers 421 where there is none. [Rules] stand in
// front of a site: a redirect tells the client another place, a rewrite has the site answer for
// another path. What rules match are patterns of http1/route, and what a "{name}" of a pattern
// stood for is put where "{name}" stands in the rule's target, escaped as it came: nothing in a
// path can become another segment, a host, or a part of a query.
package vhost

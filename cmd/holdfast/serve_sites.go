package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/secure"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

// roots are the directories to serve: the sites' in their order, or the one of the server.
func (s *settings) roots() (paths []string) {
	for _, one := range s.Sites {
		paths = append(paths, one.Root)
	}
	if len(s.Sites) == 0 {
		paths = []string{s.Root}
	}
	return paths
}

// openRoots opens the directories. They are closed by close, after a fault too.
func (h *house) openRoots(s *settings) (faults []fault) {
	paths := s.roots()
	if s.Demo {
		dir, f := h.unpackDemo()
		if f != nil {
			return []fault{*f}
		}
		paths = []string{dir}
	}
	for _, path := range paths {
		root, err := os.OpenRoot(path)
		if err != nil {
			faults = append(faults, fault{What: "cannot serve the directory " + quote(path), Why: reason(err), Mend: "check the path and its permissions"})
			continue
		}
		h.roots = append(h.roots, root)
	}
	return faults
}

// handler puts the sites together. files has the handlers of the roots, in their order. guard
// keeps from another handler what is for none of the sites.
func (s *settings) handler(files []http1.Handler) (all http1.Handler, guard func(http1.Handler) http1.Handler) {
	if len(s.Sites) == 0 {
		return files[0], func(next http1.Handler) http1.Handler { return next }
	}
	hosts := new(vhost.Hosts)
	for i, one := range s.Sites {
		one.Rules.Site = files[i]
		answers := s.around(one, one.Rules)
		for _, host := range one.allHosts() {
			h := answers
			if to, ok := one.WWW[host]; ok {
				h = s.around(one, vhost.ToHost(to))
			}
			if err := hosts.Add(host, h); err != nil {
				panic(err) // the settings have been checked for hosts that are there twice
			}
		}
	}
	return hosts, hosts.Only
}

// around is what all of a site's responses have in common.
func (s *settings) around(one *siteSettings, next http1.Handler) http1.Handler {
	name := one.Name
	named := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		r.SetRoute(name, nil)
		next.Serve(w, r)
	})
	if one.SecurityHeaders == s.SecurityHeaders && one.HSTS == s.HSTS {
		return named
	}
	without := s.responseFields().Names() // the server's own, which stand around this
	own := secure.Headers(named, responseFields(one.SecurityHeaders, one.HSTS))
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		for _, field := range without {
			w.SetDefault(field, "")
		}
		own.Serve(w, r)
	})
}

// serves says in a few words what is served.
func (s *settings) serves() string {
	if len(s.Sites) > 0 {
		var hosts []string
		for _, one := range s.Sites {
			hosts = append(hosts, one.Hosts...)
		}
		number := "1 site"
		if n := len(s.Sites); n > 1 {
			number = fmt.Sprintf("%d sites", n)
		}
		return number + ": " + strings.Join(hosts, ", ")
	}
	if s.Demo {
		return "the demo site"
	}
	root, err := filepath.Abs(s.Root)
	if err != nil {
		return s.Root
	}
	return root
}

package listing

import (
	"crypto/sha256"
	"encoding/base64"
)

// ContentSecurityPolicy goes with the page: nothing runs and nothing is loaded but the style,
// known by its hash, and the site's icon.
var ContentSecurityPolicy = policy()

func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

// style has a contrast of 7 to 1 for what is read and 4.5 to 1 for the rest, in both schemes
// (WCAG 2.2 §1.4.3, §1.4.6), and rows that a finger hits. On a narrow screen the size and the time
// stand below the name: nothing has to be scrolled sideways.
const style = `:root{color-scheme:light dark;--page:#f6f4ef;--card:#fff;--ink:#16252c;--quiet:#4c5d64;--line:#ddd8cc;--accent:#0b5561;--hover:#ecf2f1;--icon:#b87a16}
@media (prefers-color-scheme:dark){:root{--page:#0f1a20;--card:#16252d;--ink:#e8eeec;--quiet:#a9bcc0;--line:#2a414b;--accent:#8ad6dd;--hover:#1d323c;--icon:#e0a63f}}
*,::before{box-sizing:border-box}
html{font:16px/1.5 system-ui,sans-serif;background:var(--page);color:var(--ink)}
body{margin:0 auto;max-width:60rem;padding:1rem 1rem 3rem}
h1{font-size:1.3rem;line-height:1.3;margin:.5rem 0 .2rem;overflow-wrap:anywhere}
h1 a,td a,th a,.turn a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible{outline:3px solid var(--icon);outline-offset:2px;border-radius:.2rem}
p{margin:0 0 1rem;color:var(--quiet)}
table{width:100%;border-collapse:separate;border-spacing:0;background:var(--card);border:1px solid var(--line);border-radius:.7rem;overflow:hidden}
th,td{padding:.55rem .9rem;text-align:start;font-weight:400;vertical-align:baseline}
thead th{border-bottom:1px solid var(--line);font-size:.9rem;white-space:nowrap}
thead a{display:inline-block;padding:.2rem 0;text-decoration:none}
thead a:hover{text-decoration:underline}
th[aria-sort] a{font-weight:700}
th[aria-sort=ascending] a::after{content:" \2191"}
th[aria-sort=descending] a::after{content:" \2193"}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody tr:hover{background:var(--hover)}
tbody th{overflow-wrap:anywhere}
tbody th a{display:inline-block;position:relative;padding-inline-start:1.75rem;text-decoration:none}
tbody th a:hover{text-decoration:underline}
.n,.t{width:1%;color:var(--quiet);white-space:nowrap;font-variant-numeric:tabular-nums}
.n{text-align:end}
thead .n{text-align:end}
tbody th a::before{content:"";position:absolute;inset-inline-start:.1rem;top:.2rem;width:.9rem;height:1.1rem;border:2px solid var(--quiet);border-radius:.15rem .45rem .15rem .15rem;opacity:.6}
tbody .d a::before{inset-inline-start:0;top:.35rem;width:1.1rem;height:.85rem;border:0;border-radius:.1rem .25rem .2rem .2rem;background:var(--icon);opacity:1}
tbody .u a::before{content:"\2191";inset-inline-start:.2rem;top:0;border:0;opacity:1}
.turn{display:flex;gap:1.2rem;align-items:center;padding:1rem 0;color:var(--quiet)}
.turn a{padding:.5rem 0}
@media (max-width:36rem){body{padding:.6rem .6rem 2rem}
table,tbody,tbody tr{display:block}
thead{display:block;border-bottom:1px solid var(--line)}thead tr{display:flex;justify-content:space-between}thead th{border:0}
tbody tr{display:grid;grid-template-columns:auto 1fr;column-gap:.6rem;padding:.65rem .9rem}
tbody tr+tr{border-top:1px solid var(--line)}tbody tr+tr>*{border:0}
tbody th{grid-column:1/-1;padding:0}tbody td{padding:.1rem 0 0;font-size:.85rem;text-align:start}
tbody td.n{padding-inline-start:1.75rem}tbody td:empty{display:none}
tbody .d td.t{padding-inline-start:1.75rem;grid-column:1/-1}}`

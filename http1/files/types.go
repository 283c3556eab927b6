package files

import (
	"path"
	"strings"
)

// contentType is the media type for a file's name. It depends on nothing but the name:
// the same on every machine, whatever its mime.types says.
func contentType(name string) string {
	if t, ok := typesByName[path.Base(name)]; ok {
		return t
	}
	if t, ok := typesByExtension[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// typesByName are files whose name is fixed and has no extension.
var typesByName = map[string]string{
	"apple-app-site-association": "application/json",
	"openid-configuration":       "application/json",
	"oauth-authorization-server": "application/json",
	"webfinger":                  "application/jrd+json",
}

// typesByExtension has what the web uses. Text is UTF-8; ".ts" is a piece of a video, not
// TypeScript, which no browser loads.
var typesByExtension = map[string]string{
	// Text.
	".html":     "text/html; charset=utf-8",
	".htm":      "text/html; charset=utf-8",
	".css":      "text/css; charset=utf-8",
	".js":       "text/javascript; charset=utf-8",
	".mjs":      "text/javascript; charset=utf-8",
	".txt":      "text/plain; charset=utf-8",
	".text":     "text/plain; charset=utf-8",
	".log":      "text/plain; charset=utf-8",
	".md":       "text/markdown; charset=utf-8",
	".markdown": "text/markdown; charset=utf-8",
	".conf":     "text/plain; charset=utf-8",
	".ini":      "text/plain; charset=utf-8",
	".sh":       "text/plain; charset=utf-8",
	".py":       "text/plain; charset=utf-8",
	".go":       "text/plain; charset=utf-8",
	".c":        "text/plain; charset=utf-8",
	".h":        "text/plain; charset=utf-8",
	".cjs":      "text/javascript; charset=utf-8",
	".csv":      "text/csv; charset=utf-8",
	".tsv":      "text/tab-separated-values; charset=utf-8",
	".ics":      "text/calendar; charset=utf-8",
	".vcf":      "text/vcard; charset=utf-8",
	".vtt":      "text/vtt; charset=utf-8",

	// Data that says its encoding itself.
	".json":        "application/json",
	".map":         "application/json",
	".ndjson":      "application/x-ndjson",
	".jsonl":       "application/jsonl",
	".pem":         "application/x-pem-file",
	".geojson":     "application/geo+json",
	".jsonld":      "application/ld+json",
	".webmanifest": "application/manifest+json",
	".xml":         "application/xml",
	".xsl":         "application/xml",
	".xhtml":       "application/xhtml+xml",
	".atom":        "application/atom+xml",
	".rss":         "application/rss+xml",
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".toml":        "application/toml",
	".wasm":        "application/wasm",
	".pdf":         "application/pdf",
	".rtf":         "application/rtf",
	".epub":        "application/epub+zip",

	// Images.
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".apng": "image/apng",
	".jpg":  "image/jpeg",
	".jpeg": "image/jpeg",
	".gif":  "image/gif",
	".webp": "image/webp",
	".avif": "image/avif",
	".heic": "image/heic",
	".jxl":  "image/jxl",
	".bmp":  "image/bmp",
	".tif":  "image/tiff",
	".tiff": "image/tiff",
	".ico":  "image/vnd.microsoft.icon",

	// Fonts.
	".woff":  "font/woff",
	".woff2": "font/woff2",
	".ttf":   "font/ttf",
	".otf":   "font/otf",

	// Audio and video.
	".mp3":  "audio/mpeg",
	".m4a":  "audio/mp4",
	".aac":  "audio/aac",
	".oga":  "audio/ogg",
	".ogg":  "audio/ogg",
	".opus": "audio/ogg",
	".flac": "audio/flac",
	".wav":  "audio/wav",
	".weba": "audio/webm",
	".mid":  "audio/midi",
	".mp4":  "video/mp4",
	".m4v":  "video/mp4",
	".m4s":  "video/iso.segment",
	".webm": "video/webm",
	".ogv":  "video/ogg",
	".mpg":  "video/mpeg",
	".mpeg": "video/mpeg",
	".mov":  "video/quicktime",
	".mkv":  "video/matroska",
	".avi":  "video/vnd.avi",
	".ts":   "video/mp2t",
	".m3u8": "application/vnd.apple.mpegurl",
	".mpd":  "application/dash+xml",

	// Archives and documents.
	".zip":  "application/zip",
	".gz":   "application/gzip",
	".tgz":  "application/gzip",
	".zst":  "application/zstd",
	".bz2":  "application/x-bzip2",
	".xz":   "application/x-xz",
	".tar":  "application/x-tar",
	".7z":   "application/x-7z-compressed",
	".jar":  "application/java-archive",
	".apk":  "application/vnd.android.package-archive",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text",
	".ods":  "application/vnd.oasis.opendocument.spreadsheet",
	".glb":  "model/gltf-binary",
	".gltf": "model/gltf+json",
}

package account

import "strings"

// browsers and systems are what a User-Agent has in it, the more special one first: all have
// "Mozilla", and most "Safari".
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS", "Firefox"},
		{"CriOS", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Macintosh", "Mac"}, {"Linux", "Linux"}}
)

// device is what a person may know a User-Agent by. It is whatever the client said.
func device(agent string) string {
	browser, system := firstIn(agent, browsers), firstIn(agent, systems)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "" || system != "":
		return browser + system
	case agent == "":
		return "Unknown device"
	}
	short := []rune(agent)
	return string(short[:min(len(short), 40)])
}

func firstIn(agent string, all [][2]string) string {
	for _, one := range all {
		if strings.Contains(agent, one[0]) {
			return one[1]
		}
	}
	return ""
}

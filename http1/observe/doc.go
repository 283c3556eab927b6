// Package observe turns what the server did into something to read.
//
// [AccessLog] writes one line for each finished request, whatever bytes the client
// sent: a control character, a terminal's escape sequence or broken UTF-8 never
// reaches the log as such. [NewTextHandler] sets those lines for a terminal;
// slog's own JSON handler sets them for a collector.
//
// [Metrics] counts the same records for Prometheus, and shows the figures that others keep.
// Counting a request takes no memory, and what clients send makes no series.
//
// [Writer] stands between the log and the file, pipe or terminal that it goes to. A
// full disk, a closed pipe or a reader that stands still costs log lines, which are
// counted, and never a request.
package observe

"""One file per command family: parse, call, print, exit code."""

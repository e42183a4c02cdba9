"""The corners of JavaScript that show in Segment's results: numbers, dates, URLs, white space. Pure functions."""

"""The pure core: no clock, no dice, no I/O, no logging. They come in as arguments."""

"""Field schemas of Segment's TikTok destinations: fields as data, coercion, validation, Segment's messages."""

"""What TikTok takes and answers: fields, items, hashing, limits, replies. Pure."""

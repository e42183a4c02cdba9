"""What TikTok takes and answers: items, hashing, limits, replies. Pure."""

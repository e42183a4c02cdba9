"""A TikTok that lies on request. Imports nothing of relay, so that it can disagree with it."""

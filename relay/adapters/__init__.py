"""The outside world behind the ports: Redis, TikTok, the web, logs and metrics."""

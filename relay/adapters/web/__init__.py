"""HTTP in: webhook and tracking routes, admin API."""

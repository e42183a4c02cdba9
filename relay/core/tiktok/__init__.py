"""What TikTok takes and answers: items, hashing, limits, replies. Pure."""

# Items know the fields of the mapping's schemas, and subscriptions know the items: whoever is asked for first, the
# mapping is loaded first.
import relay.core.mapping  # noqa: F401

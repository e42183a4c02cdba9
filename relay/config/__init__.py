"""Settings stop at the door: parse → validate → build. Only app and cli see them; nothing reads them at import."""

from relay.config.load import Loaded, load_settings
from relay.config.model import Destination, Segment, Settings, Source
from relay.config.secret_keys import key_bytes

__all__ = ["Destination", "Loaded", "Segment", "Settings", "Source", "key_bytes", "load_settings"]

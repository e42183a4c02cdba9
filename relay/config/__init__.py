"""Settings stop at the door: parse → validate → build. Only app and cli see them; nothing reads them at import."""

from relay.config.load import Loaded, load_settings
from relay.config.model import Destination, Segment, Settings, Source

__all__ = ["Destination", "Loaded", "Segment", "Settings", "Source", "load_settings"]

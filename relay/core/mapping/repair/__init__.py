"""What the relay does for an event that Segment would lose: one careful reading of values that were meant well.

It runs only where Segment rejected the event, or made an item that cannot be sent; every other item is Segment's,
however odd. In an event that is repaired, a value that passes its check is never touched, but for lists of products in
disguise, which pass as one product without members. What stays wrong afterwards is refused with Segment's own message.
"""

from relay.core.mapping.repair.mend import Mend, Mended, compile_mend
from relay.core.mapping.repair.rules import Repair, Rule, Stage

__all__ = ["Mend", "Mended", "Repair", "Rule", "Stage", "compile_mend"]

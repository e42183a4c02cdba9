"""Fallback event relay: Segment events, kept durably while TikTok is down, replayed when it is back.

Path of an event::

    receive ─► verify ─► decode ─► select ─► append (dedupe + owe, one atomic call) ─► 200
                                                  │
         claim ◄── owed streams in Redis ◄────────┘
           └─► map ─► batch ─► send ─► read reply ─► judge ─► settle (delivered │ still owed │ dead letter)

One way, nothing calls back: intake and delivery meet only in Redis.

Where each stage lives:

* receive         ``relay/adapters/web``            HTTP in, HTTP answers out
* verify, decode  ``relay/core/segment``            signatures, envelopes, time correction, identity, consent
* select          ``relay/core/segment/select.py``  which destinations want the event, and its class
* append          ``relay/engine/append.py``        group commit, over ``relay/adapters/redis/inbox.py``
* claim, settle   ``relay/engine/delivery.py``, ``relay/engine/settle.py``, over ``relay/adapters/redis/owed.py``
* map             ``relay/core/mapping``            Segment's mapping language, compiled once
* stand by        ``relay/engine/standby.py``       who sends and who stands by, failover, failback, lapsing
* make room       ``relay/engine/shedder.py``       what is given up when the store is full
* replay          ``relay/engine/replay.py``        what is archived, owed again; ``relay/adapters/redis/archive.py``
* batch, judge    ``relay/core/delivery``           gate, governor, order of service, verdicts, clocks
* send            ``relay/adapters/tiktok.py``      one aiohttp session
* tell            ``relay/core/notices.py``         a closed set; ``relay/adapters/observe`` reads it

Imports point down: cli → app → adapters, config → engine → ports → core. ``tests/test_architecture.py`` enforces it.
"""

__version__ = "0.1.0"

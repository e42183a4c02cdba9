"""A TikTok that lies on request (TikTok sheet section 10).

Imports nothing of the relay, so that it can disagree with it.

* ``control``   every switch, with its allowed values: one table for the command line, JSON and the docs
* ``outage``    whether TikTok is ill right now, and with what
* ``limits``    calls per second, minute and day
* ``checks``    what TikTok refuses in a request, and in which words
* ``counting``  what TikTok would have counted: unique, duplicate, merged, doubled
* ``answers``   envelopes, request ids, HTTP statuses
* ``platform``  the order of the checks; still no network and no clock
* ``server``    aiohttp around it: ``build_simulator``, ``run_simulator``
* ``traffic``   made-up Segment events
"""

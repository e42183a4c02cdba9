"""Liquid as Segment's ``@liquid`` has it: the language of liquidjs 10 with its defaults, without loops and files.

Our own engine rather than python-liquid: of that one (2.3), the lexer, the expression grammar, the stringifier, the
rules of truth and comparison, every number and date filter, all error messages and the disabled tags would have to be
replaced (golden LANGUAGE section 9), and what is left, a parse loop, is the smaller part of the work. It has no bound
on the work of a rendering that counts as here, and brings five packages along.

A template is read once and becomes closures: ``tokens`` (texts, outputs, tags), ``operands`` and ``expressions``
(values), ``tags`` and ``blocks`` (actions), ``filters``. ``rendering`` holds the state of one rendering and bounds its
work; nothing here evaluates text as code.

Different from the original, deliberately: counters do not write into the event, ``sample`` draws the first elements,
brackets nest at most 50 deep, and the memory limit is lower (``rendering.BUDGET``). Half of a character that has two
UTF-16 units is kept and measured as one, but it is not found in, or stripped from, a whole one.
"""

from __future__ import annotations

from relay.core.mapping.liquid.template import Template, compile_template

__all__ = ["Template", "compile_template"]

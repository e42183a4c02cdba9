"""Events for property tests: shaped like Segment's often enough to get far, with anything at all in every place."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(
        ["", " ", "\ufeff", "\ud83d", "12.5", "1e999", "0x10", "Infinity", "2024-01-15T10:30:00.999Z", "5", "a" * 64]
    )
    | st.sampled_from(
        ["https://x.example/?ttclid=1", "//x?ttclid=2", "http://[::1]/?ttclid=%zz+", "CPO", "eco", "true", "New"]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
PRODUCT = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("product_id", "price", "quantity", "name", "category", "brand", "sku"), JSON)
)
ADDRESS = st.fixed_dictionaries({}, optional=dict.fromkeys(("city", "state", "country", "postal_code"), JSON))
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("phone", "email", "first_name", "value", "revenue", "currency", "order_id", "content_ids"), JSON
        ),
        **dict.fromkeys(
            ("num_items", "limited_data_use", "delivery_category", "ttclid", "query", "lead_id", "year"), JSON
        ),
        **dict.fromkeys(("travel_class", "suggested_hotels", "preferred_num_stops", "trim", "campaign"), JSON),
        "products": JSON | st.lists(PRODUCT | JSON, max_size=3),
        "address": JSON | ADDRESS,
    },
)
TRAITS = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(("phone", "email", "first_name", "last_name"), JSON), "address": JSON | ADDRESS}
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("ip", "userAgent", "locale", "personas", "app", "device", "os"), JSON),
        "page": JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("url", "referrer"), JSON)),
        "traits": JSON | TRAITS,
        "device": JSON
        | st.fixed_dictionaries({"type": st.sampled_from(["ios", "iOS", "android"])}, optional={"id": JSON}),
    },
)
NAMES = ["Order Completed", "Product Added", "Signed Up", "Callback Started", "Checkout Started", "Product Viewed"]
events: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "page", "identify"]) | JSON,
        "event": st.sampled_from(NAMES) | JSON,
        "timestamp": JSON,
        "messageId": JSON,
        "userId": JSON,
        "anonymousId": JSON,
        "properties": PROPERTIES | JSON,
        "context": CONTEXT | JSON,
        "integrations": JSON | st.fixed_dictionaries({"TikTok Conversions": JSON}),
    },
)

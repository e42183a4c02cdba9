"""Realistic made-up Segment traffic: visitors walk through a shop and their programs report it, as Segment forwards it.

Everything derives from the seed: shop, people, programs, order. A dictionary trained on one seed therefore meets other
names, addresses and products on another one. Mean size about 1,400 bytes of compact JSON.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from relay.simulator.shop import Shop, open_shop, order_fields, product_fields, word_id
from relay.simulator.visitor import Visitor, meet, uuid4

JsonObject = dict[str, Any]

AT_ONCE = 64  # visitors whose walks interleave
QUERIES = ("gift", "black jacket", "waterproof", "tent 2p", "kettle", "size 42", "vegan", "charger usb-c", "sale")
PLANS = ("basic", "pro", "family", "box-monthly")


def traffic(seed: int, start_ms: int, rate: float = 50.0) -> Iterator[JsonObject]:
    """Endless Segment events, ``rate`` a second on average, the first at ``start_ms`` (epoch milliseconds)."""
    dice = random.Random(seed)
    shop = open_shop(dice)
    walks = [_Walk(dice, shop) for _ in range(AT_ONCE)]
    now = float(start_ms)
    for _ in count():
        place = dice.randrange(AT_ONCE)
        walk = walks[place]
        yield walk.step(int(now))
        if walk.over:
            walks[place] = _Walk(dice, shop)
        now += dice.expovariate(rate) * 1000


@dataclass(slots=True)
class _Walk:
    """One visitor's way: a list of steps planned at the door, taken one by one."""

    dice: random.Random
    shop: Shop
    visitor: Visitor = field(init=False)
    plan: list[str] = field(init=False)
    cart: list[JsonObject] = field(init=False, default_factory=list)
    order: JsonObject = field(init=False, default_factory=dict)
    taken: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.visitor = meet(self.dice, self.shop.name)
        self.plan = _plan(self.dice, self.visitor)

    @property
    def over(self) -> bool:
        return self.taken >= len(self.plan)

    def step(self, now_ms: int) -> JsonObject:
        """The next event of this walk, as Segment would hand it to a webhook at ``now_ms``."""
        name = self.plan[self.taken]
        self.taken += 1
        kind, said, path, title = self._say(name)
        event: JsonObject = {"context": _context(self.shop, self.visitor, path, title), "integrations": {}}
        if self.visitor.anonymous_id:
            event["anonymousId"] = self.visitor.anonymous_id
        if self.visitor.user_id and (kind == "identify" or self.visitor.traits):
            event["userId"] = self.visitor.user_id
        event |= {"messageId": _message_id(self.dice, self.visitor.sender, now_ms), "type": kind}
        event |= self._words(kind, name, said)
        if self.visitor.click_id and self.dice.random() < 0.3:
            event["integrations"] = {
                "TikTok Conversions": {"ttclid": self.visitor.click_id, "ttp": uuid4(self.dice).replace("-", "")[:27]}
            }
        return event | _transport(self.dice, self.shop, self.visitor.sender, now_ms)

    def _words(self, kind: str, name: str, said: JsonObject) -> JsonObject:
        if kind == "identify":
            return {"traits": said}
        if kind == "track":
            return {"event": name, "properties": said}
        return {"name": said.get("title") or said.get("name"), "properties": said}

    def _say(self, name: str) -> tuple[str, JsonObject, str, str]:
        """Kind, properties, path and title of one step."""
        if name in {"page", "screen"}:
            return self._look(name)
        if name == "identify":
            return "identify", self._traits(), "/account", "Your account"
        if name in _ABOUT_PRODUCT:
            return self._about_product(name)
        if name in _ABOUT_CART:
            return self._about_cart(name)
        if name == "Product List Viewed":
            return self._about_list()
        return "track", _OTHERS[name](self.dice, self.visitor), "/" + word_id(name), name

    def _look(self, name: str) -> tuple[str, JsonObject, str, str]:
        product = self.dice.choice(self.shop.products)
        path, title = self.dice.choice(
            (
                ("/", self.shop.name),
                ("/c/" + word_id(product.category), product.category),
                ("/p/" + product.slug, product.name),
                ("/cart", "Cart"),
            )
        )
        if name == "screen":
            return "screen", {"name": title, "previous_screen": "Home"}, path, title
        said = {"path": path, "referrer": self.visitor.referrer, "search": self.visitor.query, "title": title}
        return "page", said | {"url": self.shop.url(path + self.visitor.query)}, path, title

    def _traits(self) -> JsonObject:
        return {**_fresh(self.visitor.traits), "plan": self.dice.choice(PLANS), "createdAt": "2025-11-03T08:00:00Z"}

    def _about_product(self, name: str) -> tuple[str, JsonObject, str, str]:
        product = self.dice.choice(self.shop.products)
        said = product_fields(self.shop, product, self.dice.choice((1, 1, 1, 2, 3)), self.dice.randint(1, 12))
        if name == "Product Added":
            self.cart = [*self.cart, dict(said)][-6:]
            said["cart_id"] = f"crt_{self.dice.getrandbits(40):x}"
        said |= {"currency": self.shop.currency, "value": round(product.price * said["quantity"], 2)}
        return "track", said, "/p/" + product.slug, product.name

    def _about_list(self) -> tuple[str, JsonObject, str, str]:
        shown = self.dice.sample(self.shop.products, self.dice.randint(2, 5))
        said = {"list_id": f"list_{self.dice.randint(1, 90)}", "category": shown[0].category}
        products = [product_fields(self.shop, product, 1, place) for place, product in enumerate(shown, 1)]
        return "track", {**said, "products": products}, "/c/" + word_id(shown[0].category), shown[0].category

    def _about_cart(self, name: str) -> tuple[str, JsonObject, str, str]:
        if not self.cart:
            product = self.dice.choice(self.shop.products)
            self.cart = [product_fields(self.shop, product, 1, 1)]
        if not self.order:
            self.order = order_fields(self.dice, self.shop, self.cart)
        said = _fresh(self.order)
        if name == "Payment Info Entered":
            said = {key: said[key] for key in ("checkout_id", "order_id")}
            said |= {
                "step": 3,
                "shipping_method": "parcel",
                "payment_method": self.dice.choice(("card", "paypal", "klarna", "apple_pay")),
            }
        elif name == "Cart Viewed":
            said = {"cart_id": f"crt_{self.dice.getrandbits(40):x}", "products": said["products"]}
        return "track", said, "/checkout/" + word_id(name.rsplit(maxsplit=1)[-1]), name


_ABOUT_PRODUCT = frozenset(
    {"Product Viewed", "Product Clicked", "Product Added", "Product Added to Wishlist", "Product Removed"}
)
_ABOUT_CART = frozenset({"Cart Viewed", "Checkout Started", "Payment Info Entered", "Order Placed", "Order Completed"})
_OTHERS: dict[str, Callable[[random.Random, Visitor], JsonObject]] = {
    "Products Searched": lambda dice, _: {"query": dice.choice(QUERIES), "results": dice.randint(0, 240)},
    "Coupon Applied": lambda dice, _: {"coupon_id": f"C{dice.randint(100, 999)}", "discount": dice.randint(1, 40)},
    "Promotion Clicked": lambda dice, _: {"promotion_id": f"promo_{dice.randint(1, 40)}", "position": "home_top"},
    "Signed Up": lambda dice, visitor: {"method": dice.choice(("email", "google", "apple")), **visitor.traits},
    "Signed In": lambda dice, _: {"method": dice.choice(("email", "google", "apple"))},
    "Subscription Created": lambda dice, _: {
        "plan": dice.choice(PLANS),
        "value": dice.randint(5, 60),
        "currency": "EUR",
    },
    "Form Submitted": lambda dice, visitor: {
        "form_id": f"form_{dice.randint(1, 20)}",
        "email": visitor.traits.get("email"),
    },
    "Callback Started": lambda dice, _: {"topic": dice.choice(("sizing", "delivery", "returns")), "source": "footer"},
    "Download Link Clicked": lambda dice, _: {
        "file": f"guide-{dice.randint(1, 30)}.pdf",
        "size_kb": dice.randint(80, 9000),
    },
    "Experiment Viewed": lambda dice, _: {
        "experiment_id": f"exp-{dice.randint(1, 60)}",
        "variation": dice.choice("AB"),
    },
    "Application Opened": lambda dice, _: {
        "from_background": dice.random() < 0.5,
        "version": "4.12.0",
        "build": "1207",
    },
    "Application Installed": lambda dice, _: {"version": "4.12.0", "build": str(dice.randint(300, 1900))},
}
_RARE = (
    "Signed Up",
    "Subscription Created",
    "Form Submitted",
    "Callback Started",
    "Download Link Clicked",
    "Signed In",
)
_ASIDE = ("Products Searched", "Product List Viewed", "Promotion Clicked", "Experiment Viewed", "Product Clicked")


def _plan(dice: random.Random, visitor: Visitor) -> list[str]:
    """How far this visitor gets: most look around, some fill a cart, few buy."""
    look = {"browser": "page", "ios": "screen", "android": "screen"}.get(visitor.sender, "Product Viewed")
    plan = [look] if look != "screen" else [dice.choice(("Application Opened", "Application Installed")), look]
    for _ in range(dice.randint(1, 5)):
        plan += [dice.choice(_ASIDE), look, "Product Viewed"][dice.randint(0, 1) :]
    depth = dice.random()
    if depth < 0.5:
        plan += ["Product Added", "Cart Viewed"] if depth < 0.4 else ["Product Added to Wishlist", "Product Removed"]
    if depth < 0.28:
        plan += ["Product Added", "Coupon Applied", "Checkout Started", "Payment Info Entered"]
    if depth < 0.2:
        plan += ["Order Placed"] if depth < 0.03 else ["Order Completed"]
    if dice.random() < 0.2:
        plan.append(dice.choice(_RARE))
    return plan + (["identify"] if visitor.traits and dice.random() < 0.4 else [])


def _context(shop: Shop, visitor: Visitor, path: str, title: str) -> JsonObject:
    """What the program reports around the event; fresh at every level, so a consumer may change it."""
    context: JsonObject = _fresh(visitor.program)
    if visitor.sender == "server":
        if visitor.anonymous_id:
            context |= {"ip": visitor.ip, "userAgent": visitor.agent}
        return context | {"traits": _fresh(visitor.traits)}
    context |= {"ip": visitor.ip, "locale": visitor.place[5], "timezone": visitor.place[4], "userAgent": visitor.agent}
    if visitor.asked_consent:
        context["consent"] = {"categoryPreferences": {"Advertising": True, "Analytics": True, "Functional": True}}
    if visitor.traits:
        context["traits"] = _fresh(visitor.traits)
    if visitor.sender == "browser":
        page = {"path": path, "referrer": visitor.referrer, "search": visitor.query, "title": title}
        context["page"] = page | {"url": shop.url(path + visitor.query)}
        if visitor.query:
            context["campaign"] = {"source": "tiktok", "medium": "paid", "name": visitor.query.rsplit("=", 1)[-1]}
    return context


def _message_id(dice: random.Random, sender: str, now_ms: int) -> str:
    """A message id in the form this sender's library makes (Segment sheet section 2.6)."""
    plain = uuid4(dice)
    if sender == "browser":
        return f"ajs-next-{now_ms}-{plain}"
    if sender == "ios":
        return plain.upper()
    return f"node-next-{now_ms}-{plain}" if sender == "server" and dice.random() < 0.4 else plain


def _transport(dice: random.Random, shop: Shop, sender: str, now_ms: int) -> JsonObject:
    """The fields Segment adds on the way: four times, channel, project."""
    waited, travelled = dice.randint(5, 900) if sender != "ios" else dice.randint(500, 30_000), dice.randint(20, 400)
    fields: JsonObject = {
        "originalTimestamp": _iso(now_ms - waited - travelled),
        "sentAt": _iso(now_ms - travelled),
        "receivedAt": _iso(now_ms),
        "timestamp": _iso(now_ms - waited),
        "channel": "server" if sender == "server" else "client",
        "projectId": shop.project,
        "version": 2,
    }
    if sender == "browser":
        fields["_metadata"] = {"bundled": ["Segment.io"], "unbundled": ["TikTok Conversions"], "bundledIds": []}
    return fields


def _iso(ms: int) -> str:
    when = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def _fresh(value: Any) -> Any:
    """A copy a consumer may change; ``copy.deepcopy`` costs more than all the rest of an event."""
    if isinstance(value, dict):
        return {key: _fresh(member) if isinstance(member, dict | list) else member for key, member in value.items()}
    if isinstance(value, list):
        return [_fresh(member) for member in value]
    return value

"""A made-up shop: products, prices, orders. Every name derives from the seed, so two seeds are two different shops."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any


def words(text: str) -> tuple[str, ...]:
    """A word list, written as people read it."""
    return tuple(text.split())


ADJECTIVES = words(
    """
    Alpine Amber Arc Birch Bold Breeze Bright Calm Cedar Civic Clay Cloud Coast Copper Coral Crisp Dawn Deep Delta
    Dune Ember Fable Fern Field Flint Frost Gale Glade Golden Grand Granite Harbor Hazel Heath Hollow Honey Iron
    Ivory Jade Juniper Lake Laurel Light Linen Lunar Maple Marble Meadow Mellow Mesa Mild Mist Moss Night North Oak
    Ocean Olive Onyx Opal Orchid Pearl Pine Plain Polar Prime Quartz Quiet Rain Raven Reef Ridge River Rose Rustic
    Sage Salt Sand Scarlet Shade Silver Sky Slate Snow Solar Soft Spruce Stone Storm Summit Sun Swift Terra Tidal
    Urban Velvet Vista Warm Wave West Wild Willow Winter Wood Zephyr
    """
)
THINGS = {
    "Outdoor": "Tent Stove Lantern Backpack Hammock Canteen Compass Tarp Cooler Headlamp Axe Poncho",
    "Apparel": "Jacket Hoodie Shirt Dress Jeans Skirt Sweater Parka Socks Beanie Scarf Blazer Shorts",
    "Footwear": "Sneaker Boot Sandal Loafer Clog Runner Slipper",
    "Beauty": "Serum Cleanser Lipstick Mascara Toner Balm Shampoo Perfume Sunscreen Mask",
    "Kitchen": "Kettle Skillet Grinder Blender Teapot Knife Board Carafe Mug Whisk",
    "Electronics": "Speaker Headphones Charger Keyboard Monitor Camera Tracker Lamp Router",
    "Pets": "Leash Bowl Bed Collar Harness Toy Brush",
    "Toys": "Puzzle Kite Blocks Robot Train Doll Game",
}
COLOURS = words(
    """
    black white sand moss navy coral slate plum mint rust lilac ochre teal ash ivory cherry
    """
)
SIZES = ("", "", "XS", "S", "M", "L", "XL", "38", "40", "42", "250 ml", "1 l", "2P")
ENDINGS = ("", " Pro", " Mini", " 2", " Set", " Lite", " Plus", " for Kids", " (Refurbished)", " Limited")
CURRENCIES = ("USD", "USD", "USD", "EUR", "EUR", "GBP", "SEK", "JPY", "BRL", "usd")
COUPONS = ("WELCOME10", "FREESHIP", "TT15", "SPRING", "VIP20", "BUNDLE5")


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale; ``price`` in the shop's currency."""

    product_id: str
    sku: str
    name: str
    brand: str
    category: str
    variant: str
    price: float
    slug: str


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the traffic comes from. ``spelling`` is how its developers write a product."""

    name: str
    host: str
    cdn: str
    currency: str
    project: str
    order_prefix: str
    spelling: str  # full | lean | rich
    products: tuple[Product, ...]

    def url(self, path: str) -> str:
        """The address of a page of the shop."""
        return f"https://{self.host}{path}"


def open_shop(dice: random.Random) -> Shop:
    """A shop with its own names, numbers and habits."""
    brand = dice.choice(ADJECTIVES) + dice.choice(("hill", "ware", " & Co", "lane", "works", " Supply", "house"))
    word = "".join(c for c in brand.lower() if c.isalpha())
    host = dice.choice((f"shop.{word}.example.com", f"www.{word}.example.com", f"{word}.example.com"))
    return Shop(
        name=brand,
        host=host,
        cdn=dice.choice((f"cdn.{word}.example.com/i", f"images.example.net/{word}", f"{host}/media/catalog")),
        currency=dice.choice(CURRENCIES),
        project=f"{dice.getrandbits(56):014x}",
        order_prefix=dice.choice((word[:2].upper() + "-", "#", "", "ORD-", "EU")),
        spelling=dice.choice(("full", "full", "lean", "rich")),
        products=tuple(_product(dice, brand) for _ in range(dice.randint(60, 400))),
    )


def _product(dice: random.Random, house: str) -> Product:
    category = dice.choice(list(THINGS))
    adjective, thing = dice.choice(ADJECTIVES), dice.choice(THINGS[category].split())
    name = f"{adjective} {thing}{dice.choice(ENDINGS)}"
    ids = dice.choice(
        (f"{dice.randint(10**6, 10**13)}", f"{word_id(name)}-{dice.randint(1, 99)}", f"P{dice.randint(1000, 99999)}")
    )
    size = dice.choice(SIZES)
    return Product(
        product_id=ids,
        sku=f"{thing[:3].upper()}-{dice.randint(100, 9999)}{'-' + size if size else ''}",
        name=name,
        brand=house if dice.random() < 0.6 else dice.choice(ADJECTIVES),
        category=dice.choice((category, f"{category}/{thing}s", f"{category} > {thing}s", thing + "s")),
        variant=" / ".join(x for x in (dice.choice(COLOURS), size) if x),
        price=dice.choice((round(dice.uniform(3, 300), 2), float(dice.randint(5, 400)), dice.randint(5, 90) + 0.99)),
        slug=word_id(name),
    )


def word_id(text: str) -> str:
    """``Moss Tent 2`` → ``moss-tent-2``."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def product_fields(shop: Shop, product: Product, quantity: int, position: int) -> dict[str, Any]:
    """A product as this shop's developers send it."""
    if shop.spelling == "lean":
        lean = {"product_id": product.product_id, "name": product.name, "price": product.price, "quantity": quantity}
        return lean | {"category": product.category, "brand": product.brand}
    full: dict[str, Any] = {
        "product_id": product.product_id,
        "sku": product.sku,
        "category": product.category,
        "name": product.name,
        "brand": product.brand,
        "variant": product.variant,
        "price": product.price,
        "quantity": quantity,
        "coupon": "",
        "position": position,
        "url": shop.url(f"/p/{product.slug}"),
        "image_url": f"https://{shop.cdn}/{product.slug}.jpg",
    }
    if shop.spelling == "full":
        return full
    extra = {"in_stock": quantity < 3, "list_price": round(product.price * 1.2, 2), "tags": [product.category, "new"]}
    return full | extra


def order_fields(dice: random.Random, shop: Shop, cart: list[dict[str, Any]]) -> dict[str, Any]:
    """Money and numbers of an order over ``cart``."""
    subtotal = round(sum(line["price"] * line["quantity"] for line in cart), 2)
    discount = round(subtotal * 0.1, 2) if dice.random() < 0.3 else 0
    shipping = dice.choice((0, 4.95, 9.95, 12))
    tax = round((subtotal - discount) * dice.choice((0, 0.08, 0.2)), 2)
    revenue = round(subtotal - discount, 2)
    return {
        "checkout_id": f"chk_{dice.getrandbits(48):x}",
        "order_id": f"{shop.order_prefix}{dice.randint(10**4, 10**7)}",
        "affiliation": f"{shop.name} Web",
        "subtotal": subtotal,
        "total": round(revenue + shipping + tax, 2),
        "revenue": revenue,
        "shipping": shipping,
        "tax": tax,
        "discount": discount,
        "coupon": dice.choice(COUPONS) if discount else "",
        "currency": shop.currency,
        "products": cart,
    }

"""Made-up people and the devices and programs they act through. No real person, address or number is in here."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from relay.simulator.shop import words

FIRST = words(
    """
    Ada Aiko Amara Anouk Ben Bruno Carla Chen Clara Dario Dmitri Elif Emma Erik Fatima Felix Finn Gita Hana Hugo Ida
    Imani Ines Ivan Jana Joao Jonas Kaito Karin Lars Leila Liam Lina Luca Maja Marco Mara Mina Nadia Nils Noor Olga
    Omar Paolo Petra Priya Quinn Rafael Rosa Sami Sara Selim Sofia Tariq Tomás Uma Vera Victor Wei Yara Yusuf Zoë
    """
)
LAST = words(
    """
    Almeida Andersen Bakker Bauer Bianchi Chowdhury Costa Dahl Diallo Duarte Eriksen Farah Fischer Garcia Haddad
    Hansen Ito Ivanova Jansen Kaya Kim Kowalski Larsen Lindqvist Lopez Mbeki Meyer Moreau Müller Nakamura Novak
    Okafor Olsen Park Patel Pereira Petrov Quist Rossi Sato Schmidt Silva Singh Svensson Tanaka Torres Ueda Vargas
    Weber Wong Young
    """
)
PLACES = (
    ("Albany", "NY", "US", "12207", "America/New_York", "en-US", "+1202555"),
    ("Austin", "TX", "US", "73301", "America/Chicago", "en-US", "+1512555"),
    ("Fresno", "CA", "US", "93650", "America/Los_Angeles", "es-US", "+1559555"),
    ("Leeds", "", "GB", "LS1 4AP", "Europe/London", "en-GB", "+44113496"),
    ("Bremen", "HB", "DE", "28195", "Europe/Berlin", "de-DE", "+4942155"),
    ("Lyon", "", "FR", "69001", "Europe/Paris", "fr-FR", "+3347855"),
    ("Porto", "", "PT", "4000-008", "Europe/Lisbon", "pt-PT", "+3512255"),
    ("Malmö", "", "SE", "211 18", "Europe/Stockholm", "sv-SE", "+464055"),
    ("Recife", "PE", "BR", "50010-000", "America/Recife", "pt-BR", "+558155"),
    ("Osaka", "", "JP", "530-0001", "Asia/Tokyo", "ja-JP", "+81655"),
    ("Toronto", "ON", "CA", "M5H 2N2", "America/Toronto", "en-CA", "+1416555"),
)
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CAMPAIGNS = ("spring_sale", "winter_camp", "retarget_30d", "lookalike_1pct", "new_in", "brand_video", "spark_ads_q1")
REFERRERS = (
    "",
    "",
    "https://www.google.com/",
    "https://www.tiktok.com/",
    "https://www.instagram.com/",
    "https://t.co/",
    "https://www.bing.com/",
)
PHONES = (("iPhone16,2", "17.5.1"), ("iPhone15,3", "17.4"), ("iPhone14,5", "18.1"), ("iPad13,4", "17.6"))
ANDROIDS = (
    ("Google", "Pixel 8", "14"),
    ("samsung", "SM-S921B", "14"),
    ("Xiaomi", "23021RAA2Y", "13"),
    ("OnePlus", "CPH2449", "15"),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody on their way through the shop, seen by one program. ``sender`` is browser, server, ios or android."""

    sender: str
    user_id: str | None
    anonymous_id: str | None
    traits: dict[str, Any]
    ip: str
    agent: str
    place: tuple[str, str, str, str, str, str, str]
    query: str  # of the landing page: click id and campaign, '' without
    referrer: str
    click_id: str
    asked_consent: bool  # and gave it: nobody who refused is in this traffic
    program: dict[str, Any]  # library, device, app … as this program reports them


def uuid4(dice: random.Random) -> str:
    """A version-4 UUID from the given dice."""
    text = f"{dice.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[dice.getrandbits(2)]}{text[17:20]}-{text[20:]}"


def click_id(dice: random.Random) -> str:
    """A click id in the form TikTok uses."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return "E.C.P." + "".join(dice.choices(alphabet, k=dice.randint(48, 96)))


def meet(dice: random.Random, app_name: str) -> Visitor:
    """A new visitor: known or not, from an advertisement or not."""
    sender = dice.choices(("browser", "server", "ios", "android"), weights=(64, 16, 11, 9))[0]
    known = sender == "server" or dice.random() < 0.45
    place = dice.choice(PLACES)
    clicked = click_id(dice) if dice.random() < 0.2 else ""
    campaign = f"utm_source=tiktok&utm_medium=paid&utm_campaign={dice.choice(CAMPAIGNS)}"
    return Visitor(
        sender=sender,
        user_id=_user_id(dice) if known else None,
        anonymous_id=None if sender == "server" and dice.random() < 0.7 else uuid4(dice),
        traits=_traits(dice, place) if known else {},
        ip=_ip(dice),
        agent=_browser(dice) if sender in {"browser", "server"} else _mobile_agent(dice, sender),
        place=place,
        query=f"?ttclid={clicked}&{campaign}" if clicked else "",
        referrer="https://www.tiktok.com/" if clicked else dice.choice(REFERRERS),
        click_id=clicked,
        asked_consent=dice.random() < 0.8,
        program=_program(dice, sender, app_name),
    )


def _user_id(dice: random.Random) -> str:
    return dice.choice((f"cus_{dice.randint(10**4, 10**6)}", f"{dice.randint(10**5, 10**8)}", uuid4(dice)))


def _traits(dice: random.Random, place: tuple[str, ...]) -> dict[str, Any]:
    first, last = dice.choice(FIRST), dice.choice(LAST)
    city, state, country, code, _, _, phone = place
    handle = f"{first}.{last}{dice.randint(1, 99) if dice.random() < 0.5 else ''}".lower()
    traits: dict[str, Any] = {"email": f"{handle.encode('ascii', 'ignore').decode()}@example.com"}
    if dice.random() < 0.6:
        traits |= {"phone": f"{phone}{dice.randint(1000, 9999)}", "first_name": first, "last_name": last}
    if dice.random() < 0.4:
        traits["address"] = {"city": city, "state": state, "country": country, "postal_code": code}
    return traits


def _ip(dice: random.Random) -> str:
    if dice.random() < 0.15:
        return "2001:db8:" + ":".join(f"{dice.getrandbits(16):x}" for _ in range(6))
    return f"{dice.choice(('203.0.113', '198.51.100', '192.0.2'))}.{dice.randint(1, 254)}"


def _browser(dice: random.Random) -> str:
    chrome, firefox, minor = dice.randint(118, 136), dice.randint(115, 138), dice.randint(0, 6)
    blink = f"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0"
    iphone = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_{minor} like Mac OS X) {WEBKIT}"
    return dice.choice(
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {blink} Safari/537.36",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {blink} Safari/537.36",
            f"Mozilla/5.0 (Linux; Android 1{minor}; K) {blink} Mobile Safari/537.36",
            f"Mozilla/5.0 (X11; Linux x86_64; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0",
            f"{iphone} Version/17.{minor} Mobile/15E148 Safari/604.1",
            f"{iphone} Mobile/22B83 musical_ly_3{dice.randint(0, 9)}.{minor}.0 BytedanceWebview/d8a21c6",
        )
    )


def _mobile_agent(dice: random.Random, sender: str) -> str:
    if sender == "ios":
        return f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_{dice.randint(0, 6)} like Mac OS X) {WEBKIT} Mobile/15E148"
    build = f"UP1A.{dice.randint(230000, 249999)}.001"
    return f"Dalvik/2.1.0 (Linux; U; Android {dice.randint(11, 15)}; Pixel {dice.randint(5, 9)} Build/{build})"


def _program(dice: random.Random, sender: str, app_name: str) -> dict[str, Any]:
    if sender == "browser":
        return _browser_program(dice)
    if sender == "server":
        name, version = dice.choice(
            (("analytics-python", "2.3.4"), ("@segment/analytics-node", "3.1.0"), ("analytics-ruby", "2.5.0"))
        )
        return {"library": {"name": name, "version": version}}
    return _mobile_program(dice, sender, app_name)


def _browser_program(dice: random.Random) -> dict[str, Any]:
    library = {"name": "analytics.js", "version": f"next-1.{dice.randint(66, 84)}.{dice.randint(0, 2)}"}
    if dice.random() < 0.25:  # only Chromium reports its brands
        return {"library": library}
    major = str(dice.randint(118, 136))
    brands = [
        {"brand": "Chromium", "version": major},
        {"brand": "Not_A Brand", "version": "24"},
        {"brand": "Google Chrome", "version": major},
    ]
    platform = dice.choice(("macOS", "Windows", "Android", "Linux"))
    return {
        "library": library,
        "userAgentData": {"brands": brands, "mobile": platform == "Android", "platform": platform},
    }


def _mobile_program(dice: random.Random, sender: str, app_name: str) -> dict[str, Any]:
    app = _app(dice, app_name)
    tracked = dice.random() < 0.5
    device, system, library = _iphone(dice, tracked=tracked) if sender == "ios" else _android(dice)
    return {
        "app": app,
        "device": device | {"adTrackingEnabled": tracked},
        "library": library,
        "network": {"bluetooth": False, "carrier": "ExampleTel", "cellular": dice.random() < 0.5, "wifi": True},
        "os": {"name": "iOS" if sender == "ios" else "Android", "version": system},
        "screen": {
            "width": dice.choice((390, 412, 430, 1080)),
            "height": dice.choice((844, 915, 932, 2400)),
            "density": dice.choice((2, 2.625, 3)),
        },
    }


def _app(dice: random.Random, name: str) -> dict[str, Any]:
    build = dice.randint(300, 1900)
    app = {"name": name, "version": f"{dice.randint(1, 9)}.{dice.randint(0, 30)}.0", "build": str(build)}
    return app | {"namespace": "com.example." + "".join(c for c in name.lower() if c.isalpha())}


def _iphone(dice: random.Random, *, tracked: bool) -> tuple[dict[str, Any], str, dict[str, str]]:
    """Device, version of its system, library. Without consent to be tracked the advertising id is all zeros."""
    model, system = dice.choice(PHONES)
    advertising = uuid4(dice).upper() if tracked else "00000000-0000-0000-0000-000000000000"
    device = {"id": uuid4(dice).upper(), "manufacturer": "Apple", "model": model, "name": "iPhone", "type": "ios"}
    return device | {"advertisingId": advertising}, system, {"name": "analytics-swift", "version": "1.9.4"}


def _android(dice: random.Random) -> tuple[dict[str, Any], str, dict[str, str]]:
    """Device, version of its system, library."""
    maker, model, system = dice.choice(ANDROIDS)
    advertising, id_ = uuid4(dice), f"{dice.getrandbits(64):016x}"
    device = {"id": id_, "manufacturer": maker, "model": model, "name": model, "type": "android"}
    return device | {"advertisingId": advertising}, system, {"name": "analytics-kotlin", "version": "1.24.1"}

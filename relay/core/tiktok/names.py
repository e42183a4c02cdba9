"""Words that TikTok knows (TikTok sheet sections 2.4 and 2.5)."""

from __future__ import annotations

CURRENCIES = frozenset(
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS INR ISK "
    "JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY "
    "TWD UAH USD VES VND ZAR".split()
)

STANDARD_EVENTS = frozenset(
    "AddPaymentInfo AddToCart AddToWishlist ApplicationApproval CompleteRegistration Contact CustomizeProduct Download "
    "FindLocation InitiateCheckout Lead Purchase Schedule Search StartTrial SubmitApplication Subscribe ViewContent "
    # Still taken under their old names, or as Segment and the pixel spell them.
    "ClickButton CompletePayment PageView Pageview PlaceAnOrder SubmitForm".split()
)

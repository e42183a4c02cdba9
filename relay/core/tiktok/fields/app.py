"""Fields of TikTok App Events."""

from __future__ import annotations

from relay.core.tiktok.fields.field import CONTENT_TYPE, CONTENTS, Demand, boolean, number, record, text, texts

EVENTS = (
    "AchieveLevel", "AddPaymentInfo", "AddToCart", "AddToWishlist", "Checkout", "CompleteTutorial", "CreateGroup",
    "CreateRole", "GenerateLead", "InAppADClick", "InAppADImpr", "InstallApp", "JoinGroup", "LaunchAPP",
    "LoanApplication", "LoanApproval", "LoanDisbursal", "Login", "Purchase", "Rate", "Registration", "Search",
    "SpendCredits", "StartTrial", "Subscribe", "UnlockAchievement", "ViewContent",
)  # fmt: skip
# Events that are about products: each item needs an id.
PRODUCT_EVENTS = frozenset({"AddToCart", "AddToWishlist", "Checkout", "Purchase", "ViewContent"})

FIELDS = (
    text("event_source", "Event Source", "app", required=True),
    text("event", "Event Name", *EVENTS, required=True),
    text("event_id", "Event ID"),
    text("timestamp", "Event Timestamp"),
    texts("phone_number", "Phone Number"),
    texts("email", "Email"),
    text("advertising_id", "Mobile Advertising ID"),
    record(
        "app", "App Information",
        text("app_id", "Mobile App ID", required=True),
        text("app_name", "App Name"),
        text("app_version", "App Version"),
        required=True,
    ),
    record(
        "ad", "Ad Information",
        text("callback", "Callback"),
        text("campaign_id", "Campaign ID"),
        text("ad_id", "Ad ID"),
        text("creative_id", "Creative ID"),
        boolean("is_retargeting", "Is Retargeting"),
        boolean("attributed", "Attributed"),
        text("attribution_type", "Attribution Type"),
        text("attribution_provider", "Attribution Provider"),
    ),
    record(
        "device_details", "Device Details",
        text("device_type", "Device Type"),
        text("device_id", "Device ID"),
        text("device_version", "Device Version"),
        boolean("ad_tracking_enabled", "Ad Tracking Enabled"),
    ),
    texts("external_id", "External ID"),
    text("locale", "Locale"),
    text(
        "att_status", "App Tracking Transparency Status",
        "AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE", "AUTO",
        required=True,
    ),
    text("ip", "IP Address"),
    text("user_agent", "User Agent"),
    CONTENTS,
    texts("content_ids", "Content IDs"),
    number("num_items", "Number of Items"),
    CONTENT_TYPE,
    text("currency", "Currency"),
    number("value", "Value"),
    text("description", "Description"),
    boolean("limited_data_use", "Limited Data Use"),
    text("test_event_code", "Test Event Code"),
    text("search_string", "Search String"),
)  # fmt: skip

DEMANDS = (
    Demand("event", frozenset({"Purchase"}), ("contents",)),  # and again below: Segment reports it twice
    Demand("event", frozenset({"AddToCart", "AddToWishlist", "Checkout", "Purchase", "Subscribe"}), ("contents",)),
    Demand("event", PRODUCT_EVENTS, ("content_type", "currency", "value")),
)

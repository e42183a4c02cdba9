"""The fields of Segment's TikTok destinations, as data (golden README). Items are built of what they hold."""

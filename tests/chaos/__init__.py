"""The chaos campaign: what befalls builds is tried, seeded and counted, and nothing may be left, wrong or stuck."""

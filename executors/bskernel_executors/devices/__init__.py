"""The devices that designs are made for: what they hold."""

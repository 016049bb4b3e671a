"""Points chosen by an optimizer."""

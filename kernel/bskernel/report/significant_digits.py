"""Numbers in a text, cut to the digits that people read. Pure."""

from __future__ import annotations

import re

_FRACTION = re.compile(r"(?<![\w.,])(?<!\w-)(\d[\d,]*)\.(\d+)(?![\w.])")
_DIGITS = 4


def rounded(text: str) -> str:
    """The text with decimal fractions of at most four significant digits: 1,577.905 us is 1,578 us.

    Whole numbers, which are counts, stay as they are, and so do versions.
    """

    def shorten(match: re.Match[str]) -> str:
        whole, fraction = match[1].replace(",", "").lstrip("0"), match[2]
        zeros = len(fraction) - len(fraction.lstrip("0")) if not whole else 0
        places = max(0, _DIGITS - len(whole)) + zeros
        if len(fraction) <= places:
            return match[0]
        return format(float(match[0].replace(",", "")), f"{',' if ',' in match[1] else ''}.{places}f")

    return _FRACTION.sub(shorten, text)

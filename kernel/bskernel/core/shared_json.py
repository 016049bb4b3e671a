"""JSON of values that list the same items, as the results and locks of a sweep's points do. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import msgspec
from bskernel_protocol import ProtocolError, pretty_json

T = TypeVar("T", bound=msgspec.Struct)
_KNOWN = 1024  # items of which the text is known, of about 3 KiB each
_INDENT = "\n    "


class SharedJson(Generic[T]):
    """Encodes values that list items in one of their fields; an item that several of them list is encoded once."""

    def __init__(self, field: str, key_of: Callable[[Any], Hashable]) -> None:
        """Items with equal keys, which are values as long as the items exist, have equal texts."""
        self._field = field
        self._key_of = key_of
        # No text in JSON has a line break, so no other line of a value begins like this.
        self._empty = f'\n  "{field}": []'
        self._known: OrderedDict[Hashable, tuple[object, str]] = OrderedDict()

    def encode(self, value: T) -> str:
        """The same text as that of `pretty_json`. Raises ProtocolError as it does."""
        items = getattr(value, self._field)
        if not items:
            return pretty_json(value)
        try:
            before, after = pretty_json(msgspec.structs.replace(value, **{self._field: ()})).split(self._empty)
            texts = f",{_INDENT}".join(map(self._text, items))
        except ProtocolError:
            return pretty_json(value)  # its message says where in the value
        return f'{before}\n  "{self._field}": [{_INDENT}{texts}\n  ]{after}'

    def _text(self, item: object) -> str:
        key = self._key_of(item)
        _, text = self._known.get(key, (None, None))
        if text is None:
            text = pretty_json(item).rstrip("\n").replace("\n", _INDENT)
            self._known[key] = (item, text)  # an identity is a key as long as its item is held
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return text

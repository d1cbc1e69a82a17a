"""YAML as people write it by hand: guidelines, settings, a card's metadata."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Safe values without anchors and aliases: some lines of these can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None:
            raise yaml.composer.ComposerError(
                None, None, "anchors (&) and aliases (*) are not taken: write it out", event.start_mark
            )
        return super().compose_node(parent, index)


def read_yaml(text: str) -> Any:
    """What a YAML text says, in plain values.

    Raises:
        yaml.YAMLError: It is no YAML, has an anchor or alias, or a value that cannot be.
    """
    try:
        return _Loader(text).get_single_data()
    except RecursionError:
        raise yaml.YAMLError("is nested too deep") from None
    except ValueError as error:
        # A date that no calendar has, a number of thousands of digits.
        raise yaml.YAMLError(str(error)) from None

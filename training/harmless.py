"""What may fail without a loss: all that a run does beside its tensors, their measurement and the store."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

from adapters.command.streams import printable, reason

LONGEST = 200
LOG = logging.getLogger("training")


@contextmanager
def harmless(what: str, then: str) -> Iterator[None]:
    """Make a failure inside a warning: `what` is missing, why, and `then`, what can be done about it."""
    try:
        yield
    # Drawing and writing fail in more ways than are known, and an adapter took hours to train.
    except Exception as error:
        why = shorten(printable(" ".join(reason(error).split())), LONGEST)
        LOG.warning("warning: no %s: %s (%s); %s", what, why, type(error).__name__, then)
        LOG.debug("%s", what, exc_info=True)

"""Memory that does not hold a model or a batch, told as what it is."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from judge.errors import JudgeError, ModelError

WORDS = ("out of memory", "can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
"""What torch and CUDA's libraries say, of a processor's memory or a GPU's; most of it comes as a plain RuntimeError."""


def ran_out(error: Exception) -> bool:
    """Whether an error is about memory."""
    return isinstance(error, MemoryError) or any(word in str(error) for word in WORDS)


@contextmanager
def enough_memory(otherwise: JudgeError) -> Iterator[None]:
    """Raise `otherwise` where memory runs out within."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if ran_out(error):
            raise otherwise from None
        raise


def room_for(model: object) -> AbstractContextManager[None]:
    """Raise a ModelError where memory does not hold the model that is loaded within."""
    return enough_memory(
        ModelError(f"{model}: does not fit into memory", "name a smaller model, or use a machine with more memory")
    )

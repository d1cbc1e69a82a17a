"""transformers without scikit-learn, which it imports for one line of assisted generation, and pandas with it: half of
what its import takes where both are installed."""

from typing import Any


def causal_models() -> Any:
    """`transformers.AutoModelForCausalLM`."""
    from transformers import utils

    kept = utils.is_sklearn_available
    utils.is_sklearn_available = lambda: False
    try:
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM
    finally:
        utils.is_sklearn_available = kept

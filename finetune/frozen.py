"""Weights that a training does not change, in the order in which products with them are fast."""

from typing import Any

from judge.engines.product import Product, reordering


def reorder(model: Any) -> None:
    """Have the layers under a model's adapters multiply in a library's order where that is faster, there and back.

    On a processor, fp32: what is learnt is the same but for rounding. Memory holds these weights twice then, in the two
    orders; the layers no longer have them.

    Args:
        model: With peft's adapters on linear layers, which keep their own weights as `base_layer`.
    """
    import torch

    if reordering() is None:
        return
    for module in model.modules():
        plain: Any = getattr(module, "base_layer", None)
        if type(plain) is torch.nn.Linear and plain.weight.device.type == "cpu" and plain.weight.dtype == torch.float32:
            plain.forward = _product(plain)
            # A parameter of its own: an embedding may share the old one.
            shape = plain.weight.new_empty(1).expand(plain.weight.shape)
            plain.weight = torch.nn.Parameter(shape, requires_grad=False)


def _product(plain: Any) -> Any:
    """What a linear layer computes; no gradient of its weights is asked of it."""
    import torch

    weight, bias = plain.weight.detach(), [] if plain.bias is None else [plain.bias.detach()]
    forward, back = Product([[weight, *bias]]), Product([[weight.t().contiguous()]])

    def times(product: Product, rows: Any) -> Any:
        return product(rows.flatten(0, -2).contiguous()).unflatten(0, rows.shape[:-1])

    class Through(torch.autograd.Function):  # type: ignore[misc]  # torch has no types for it
        @staticmethod
        def forward(_: Any, rows: Any) -> Any:
            return times(forward, rows)

        @staticmethod
        def backward(_: Any, gradient: Any) -> Any:
            return times(back, gradient)

    return Through.apply

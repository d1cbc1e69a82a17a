"""Packed batches: the tokens of several pairs in one row, without padding, behind a guideline that is computed once.

A pack holds, for each of its queries, the query's tokens once and behind them the tokens of each of its candidates. The
layers that do the arithmetic see one row of tokens that are all needed. Attention alone knows who may look at whom: a
candidate's tokens see the guideline, their query and what stands before them in their own candidate. Both halves of
that, the guideline and a token's own, are computed apart and merged by their log-sums (cascade attention: Juravsky et
al., "Hydragen", 2024, arXiv:2402.05099), which is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from judge.records import Prompt

NAME = "relevance-judge-packed"
"""Under this name transformers finds the attention below."""


@dataclass(frozen=True)
class Stretch:
    """Candidates of one query that run in one pack, as tokens; the query's tokens are computed once for all of them."""

    query: tuple[int, ...]
    candidates: list[tuple[int, ...]]
    places: list[int]
    """Where their answers belong among the prompts."""

    @property
    def tokens(self) -> int:
        """How many tokens it has the model compute."""
        return len(self.query) + sum(map(len, self.candidates))


def packs(prompts: Sequence[Prompt], size: int) -> list[list[Stretch]]:
    """Prompts with one guideline, cut into packs of about `size` tokens; longer prompts first, to end evenly.

    What shares a pack depends on the prompts alone, so that a run that goes on has the batches it would have had.
    """
    found: list[list[Stretch]] = []
    room = 0
    for query, group in groupby(range(len(prompts)), key=lambda i: prompts[i].query):
        members = list(group)
        while members:
            taken = [members.pop(0)]
            used = len(query) + len(prompts[taken[0]].candidate)
            if not found or room < used:
                found.append([])
                room = size
            while members and used + len(prompts[members[0]].candidate) <= room:
                used += len(prompts[members[0]].candidate)
                taken.append(members.pop(0))
            room -= used
            candidates = [prompts[i].candidate for i in taken]
            # Alone, a candidate and its query are one text: a row less for attention.
            alone = len(taken) == 1
            found[-1].append(Stretch(() if alone else query, [query + candidates[0]] if alone else candidates, taken))
    return sorted(found, key=lambda pack: -sum(stretch.tokens for stretch in pack))


@dataclass(frozen=True)
class Layout:
    """A pack as tensors: N tokens in R rows (a query or a candidate each) of at most L tokens that see at most K."""

    prefix: Any
    """The guideline's keys and values, as transformers' cache of one row."""
    ids: Any
    """(1, N) token ids."""
    positions: Any
    """(1, N) places in the prompt."""
    last: Any
    """One index into N for each candidate: where its label comes."""
    rows: Any
    """(R × L) index of each row's tokens, 0 where a row is shorter."""
    keys: Any
    """(R × K) index of the tokens that a row sees."""
    back: Any
    """(N) where in R × L each token stands."""
    mask: Any
    """(R, 1, L, K) 0 where a token may look, minus infinity elsewhere."""


def layout(pack: Sequence[Stretch], prefix: Any, device: str, dtype: Any) -> Layout:
    """Lay a pack out behind a guideline."""
    import torch

    before = prefix.get_seq_length()
    ids: list[int] = []
    positions: list[int] = []
    last: list[int] = []
    rows: list[tuple[int, int, int, int]] = []  # where the query begins, its length, where the row begins, its length
    for stretch in pack:
        query, behind = len(ids), before + len(stretch.query)
        if stretch.query:
            rows.append((query, 0, query, len(stretch.query)))
            ids += stretch.query
            positions += range(before, behind)
        for tokens in stretch.candidates:
            rows.append((query, len(stretch.query), len(ids), len(tokens)))
            ids += tokens
            positions += range(behind, behind + len(tokens))
            last.append(len(ids) - 1)
    first, seen, start, own = (column.unsqueeze(1) for column in torch.tensor(rows, device=device).unbind(1))
    column = torch.arange(int((seen + own).max()), device=device)
    place = torch.arange(int(own.max()), device=device)
    keys = torch.where(column < seen, first + column, torch.where(column < seen + own, start + column - seen, 0))
    hidden = column > (seen + place).unsqueeze(2)
    return Layout(
        prefix=prefix,
        ids=torch.tensor([ids], device=device),
        positions=torch.tensor([positions], device=device),
        last=torch.tensor(last, device=device),
        rows=torch.where(place < own, start + place, 0).flatten(),
        keys=keys.flatten(),
        back=(place < own).flatten().nonzero().flatten(),
        mask=torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill(hidden, float("-inf")).unsqueeze(1),
    )


def register() -> str:
    """Make the attention known to transformers; returns its name."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    return NAME


def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
    """Attention over a pack, in the shape that transformers' models call: (1, heads, N, d) in, (1, N, heads, d) out.

    Without a layout it is plain causal attention, which computes the guideline.
    """
    import torch

    place: Layout | None = options.get("layout")
    scale: Any = options.get("scaling")
    if place is None:
        plain = torch.nn.functional.scaled_dot_product_attention
        return plain(query, key, value, is_causal=True, scale=scale, enable_gqa=True).transpose(1, 2), None
    layer = place.prefix.layers[module.layer_idx]
    _, heads, count, width = query.shape
    groups = key.shape[1]
    # Heads that share keys and values (grouped-query attention) go side by side: nothing is repeated in memory.
    split = query.reshape(groups, heads // groups, count, width)
    of_rows, row_keys, row_values = _rows(split, key, value, place)
    run = _merged if query.device.type == "cpu" else _joined
    out = run(split, of_rows, (row_keys, row_values), layer, place, scale)
    return out.reshape(heads, count, width).transpose(0, 1).unsqueeze(0), None


def _rows(split: Any, key: Any, value: Any, place: Layout) -> tuple[Any, Any, Any]:
    """Queries as (R, groups, heads a group × L, d), keys and values as (R, groups, K, d)."""
    groups, share, _, width = split.shape
    many = place.mask.shape[0]
    rows = split[:, :, place.rows].view(groups, share, many, -1, width).permute(2, 0, 1, 3, 4)
    own = (part[0][:, place.keys].view(groups, many, -1, width).transpose(0, 1) for part in (key, value))
    return rows.reshape(many, groups, -1, width), *own


def _merged(split: Any, rows: Any, own: tuple[Any, Any], layer: Any, place: Layout, scale: float) -> Any:
    """On a processor: two calls of its fused kernel, which returns the log-sums that merging needs."""
    import torch

    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    groups, share, count, width = split.shape
    far, far_sum = flash(split.reshape(1, groups, -1, width), layer.keys, layer.values, scale=scale)
    near, near_sum = flash(rows, *own, attn_mask=place.mask.repeat(1, 1, share, 1), scale=scale)
    many = len(rows)
    near = near.reshape(many, groups, share, -1, width).permute(1, 2, 0, 3, 4).flatten(2, 3)[:, :, place.back]
    near_sum = near_sum.reshape(many, groups, share, -1).permute(1, 2, 0, 3).flatten(2, 3)[:, :, place.back]
    weight = torch.sigmoid(near_sum - far_sum.reshape(groups, share, count))
    return torch.lerp(far.reshape(split.shape), near, weight.unsqueeze(-1).to(near.dtype))


def _joined(split: Any, rows: Any, own: tuple[Any, Any], layer: Any, place: Layout, scale: float) -> Any:
    """On any device: the guideline's keys before each row's own. No merging, some copying."""
    import torch

    groups, share, _, width = split.shape
    many = len(rows)
    keys, values = (
        torch.cat([far.expand(many, -1, -1, -1), near], dim=2)
        for far, near in zip((layer.keys, layer.values), own, strict=True)
    )
    mask = torch.nn.functional.pad(place.mask, (layer.keys.shape[2], 0)).repeat(1, 1, share, 1)
    out = torch.nn.functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask, scale=scale)
    return out.reshape(many, groups, share, -1, width).permute(1, 2, 0, 3, 4).flatten(2, 3)[:, :, place.back]

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
PROCESSOR = "cpu"


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
class View:
    """Who looks at whom: R rows (a query or a candidate each), of at most L tokens that look and K that they see.

    Where rows are shorter, indexes are filled up with 0.
    """

    rows: Any
    """(R × L) index of each row's tokens among those that look."""
    keys: Any
    """(R × K) index of the tokens that a row sees; each row's first stands for the guideline and is none of them."""
    back: Any
    """Where in R × L each token that looks stands."""
    mask: Any
    """(R, L, K) 0 where a token may look and for the guideline, minus infinity elsewhere."""


@dataclass(frozen=True)
class Layout:
    """A pack as tensors: N tokens."""

    prefix: Any
    """The guideline's keys and values: for each layer two of shape (1, heads, K, d)."""
    ids: Any
    """(1, N) token ids."""
    positions: Any
    """(1, N) places in the prompt."""
    last: Any
    """One index into N for each candidate: where its label comes."""
    inner: View
    """All N tokens look."""
    final: View
    """Those of `last` alone look."""


def layout(pack: Sequence[Stretch], prefix: Any, device: str, dtype: Any) -> Layout:
    """Lay a pack out behind a guideline."""
    import torch

    before = prefix[0][0].shape[2]
    ids: list[int] = []
    positions: list[int] = []
    rows: list[tuple[int, int, int, int]] = []  # where the query begins, its length, where the row begins, its length
    answers: list[int] = []
    for stretch in pack:
        query, behind = len(ids), before + len(stretch.query)
        if stretch.query:
            rows.append((query, 0, query, len(stretch.query)))
            ids += stretch.query
            positions += range(before, behind)
        for tokens in stretch.candidates:
            answers.append(len(rows))
            rows.append((query, len(stretch.query), len(ids), len(tokens)))
            ids += tokens
            positions += range(behind, behind + len(tokens))
    spans = torch.tensor(rows, device=device)
    first, seen, start, own = (column.unsqueeze(1) for column in spans.unbind(1))
    column = torch.arange(-1, int((seen + own).max()), device=device)
    place = torch.arange(int(own.max()), device=device)
    keys = torch.where(column < seen, first + column, torch.where(column < seen + own, start + column - seen, 0))
    keys[:, 0] = 0

    def bias(hidden: Any) -> Any:
        return torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill(hidden, float("-inf"))

    one_each = torch.arange(len(answers), device=device)
    return Layout(
        prefix=prefix,
        ids=torch.tensor([ids], device=device),
        positions=torch.tensor([positions], device=device),
        last=(start + own - 1)[answers, 0],
        inner=View(
            rows=torch.where(place < own, start + place, 0).flatten(),
            keys=keys.flatten(),
            back=(place < own).flatten().nonzero().flatten(),
            mask=bias(column > (seen + place).unsqueeze(2)),
        ),
        final=View(
            rows=one_each,
            keys=keys[answers].flatten(),
            back=one_each,
            mask=bias(column >= (seen + own)[answers]).unsqueeze(1),
        ),
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
    prefix = place.prefix[module.layer_idx]
    if query.device.type == PROCESSOR:
        asked, keys, values = (part[0].transpose(0, 1) for part in (query * scale, key, value))
        return attention(asked, keys, values, prefix, place.inner).unsqueeze(0), None
    return _joined(query, key, value, prefix, place.inner, scale), None


def attention(query: Any, key: Any, value: Any, prefix: tuple[Any, Any], view: View) -> Any:
    """What rows of a pack see, (N, heads, d): the guideline's keys by a fused kernel, then each row's own.

    The kernel tells the log-sum of what it saw. That stands for one more key in the softmax over a row's own keys, and
    the weight it gets there is the guideline's share: both halves are merged without a pass of their own.
    """
    import torch

    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    (count, heads, width), groups, many = query.shape, key.shape[1], len(view.mask)
    share = heads // groups
    # Heads that share keys and values (grouped-query attention) go side by side: the guideline's are never repeated.
    split = query.unflatten(1, (groups, share)).permute(1, 2, 0, 3).reshape(1, groups, -1, width)
    far, log_sum = flash(split, *prefix, scale=1.0)
    far = far[0].unflatten(1, (share, count)).permute(2, 0, 1, 3).reshape(query.shape)
    log_sum = log_sum[0].unflatten(1, (share, count)).permute(2, 0, 1).reshape(count, heads)
    rows, sums = query.flatten(1).index_select(0, view.rows), log_sum.index_select(0, view.rows)
    keys, values = (
        part.flatten(1).index_select(0, view.keys).view(many, -1, groups, width).unbind(2) for part in (key, value)
    )
    near, kept = torch.empty_like(rows), torch.empty_like(sums)
    mask = view.mask.repeat_interleave(share, 1)
    for group in range(groups):
        own = slice(group * share, (group + 1) * share)
        columns = slice(own.start * width, own.stop * width)
        asked = rows[:, columns].reshape(many, -1, width)
        scores = torch.baddbmm(mask, asked, keys[group].transpose(1, 2))
        scores[:, :, 0] = sums[:, own].reshape(many, -1)
        weights = scores.softmax(-1)
        kept[:, own] = weights[:, :, 0].reshape(-1, share)
        weights[:, :, 0] = 0.0
        near[:, columns] = torch.bmm(weights, values[group]).view(len(rows), -1)
    near = near.index_select(0, view.back).unflatten(1, (-1, width))
    return torch.addcmul(near, far, kept.index_select(0, view.back).unsqueeze(-1))


def _joined(query: Any, key: Any, value: Any, prefix: tuple[Any, Any], view: View, scale: float) -> Any:
    """On any device: the guideline's keys before each row's own. No merging, some copying."""
    import torch

    _, heads, _, width = query.shape
    groups, many = key.shape[1], len(view.mask)
    share, own = heads // groups, view.keys.view(many, -1)[:, 1:].flatten()
    split = query.reshape(groups, share, -1, width)[:, :, view.rows].view(groups, share, many, -1, width)
    rows = split.permute(2, 0, 1, 3, 4).reshape(many, groups, -1, width)
    keys, values = (
        torch.cat([far.expand(many, -1, -1, -1), near[0][:, own].view(groups, many, -1, width).transpose(0, 1)], 2)
        for far, near in zip(prefix, (key, value), strict=True)
    )
    mask = torch.nn.functional.pad(view.mask[:, :, 1:], (prefix[0].shape[2], 0)).repeat(1, share, 1).unsqueeze(1)
    out = torch.nn.functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask, scale=scale)
    out = out.reshape(many, groups, share, -1, width).permute(0, 3, 1, 2, 4).reshape(-1, heads, width)
    return out[view.back].unsqueeze(0)

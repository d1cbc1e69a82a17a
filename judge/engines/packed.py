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

    What shares a pack depends on the prompts alone, so that a resumed run has the batches it would have had.
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
class AttentionView:
    """Who looks at whom: R rows (a query or a candidate each), of at most L tokens that look and K that they see.

    Where rows are shorter, indexes are filled up with 0. Heads that share keys and values (grouped-query attention)
    stand side by side, S of them: a row has S × L lines, and N tokens that look are S × N.
    """

    rows: Any
    """(R × S × L) index of each row's lines among those that look."""
    keys: Any
    """(R × K) index of the tokens that a row sees; each row's first stands for the guideline and is none of them."""
    back: Any
    """(S × N) where in R × S × L each that looks stands."""
    mask: Any
    """(R, S × L, K) 0 where a line may look and for the guideline, minus infinity elsewhere."""


@dataclass(frozen=True)
class PackedLayout:
    """A pack as tensors: N tokens."""

    prefix: Any
    """The guideline's keys and values: for each layer two of shape (1, heads, K, d)."""
    ids: Any
    """(1, N) token ids."""
    positions: Any
    """(1, N) places in the prompt."""
    last: Any
    """One index into N for each candidate: where its label comes."""
    inner: AttentionView
    """All N tokens look."""
    final: AttentionView
    """Those of `last` alone look."""


def layout(pack: Sequence[Stretch], prefix: Any, share: int, device: str, dtype: Any) -> PackedLayout:
    """Lay a pack out behind a guideline, for a model of which `share` heads have the same keys and values."""
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

    def view(looking: Any, count: int, keys: Any, hidden: Any) -> AttentionView:
        """`looking` is (R, L) who looks, minus 1 where a row is shorter; `hidden` (R, L, K) what it may not see."""
        copies = torch.arange(share, device=device).view(-1, 1) * count
        lines = looking.unsqueeze(1) + copies
        there = (looking >= 0).unsqueeze(1).expand(lines.shape)
        back = torch.empty(share * count, dtype=torch.long, device=device)
        back[lines[there]] = there.flatten().nonzero().flatten()
        mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill(hidden, float("-inf"))
        return AttentionView(lines.where(there, 0).flatten(), keys.flatten(), back, mask.repeat(1, share, 1))

    behind_own, asked = column >= (seen + own)[answers], torch.arange(len(answers), device=device).unsqueeze(1)
    inner = torch.where(place < own, start + place, -1)
    return PackedLayout(
        prefix=prefix,
        ids=torch.tensor([ids], device=device),
        positions=torch.tensor([positions], device=device),
        last=(start + own - 1)[answers, 0],
        inner=view(inner, len(ids), keys, column > (seen + place).unsqueeze(2)),
        final=view(asked, len(answers), keys[answers], behind_own.unsqueeze(1)),
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

    place: PackedLayout | None = options.get("layout")
    scale: Any = options.get("scaling")
    if place is None:
        plain = torch.nn.functional.scaled_dot_product_attention
        return plain(query, key, value, is_causal=True, scale=scale, enable_gqa=True).transpose(1, 2), None
    groups, width = key.shape[1], query.shape[-1]
    run = merged if query.device.type == PROCESSOR else joined
    lines = query[0].reshape(groups, -1, width) * scale
    seen = run(lines, key[0], value[0], place.prefix[module.layer_idx], place.inner)
    return seen.view(query.shape).transpose(1, 2), None


def merged(lines: Any, key: Any, value: Any, prefix: tuple[Any, Any], view: AttentionView) -> Any:
    """What each line sees, (groups, S × N, d), on a processor: the guideline by a fused kernel, then its row's own.

    The kernel tells the log-sum of what it saw. That stands for one more key in the softmax over a row's own keys, and
    the weight it gets there is the guideline's share: both halves are merged without a pass of their own.

    Args:
        lines: (groups, S × N, d), already times the scale of attention.
        key, value: (groups, tokens, d).
        prefix: The guideline's, (1, groups, tokens, d).
        view: Who looks at whom.
    """
    import torch

    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    far, log_sum = flash(lines.unsqueeze(0), *prefix, scale=1.0)
    groups, _, width = lines.shape
    many, height, _ = view.mask.shape
    rows = lines.index_select(1, view.rows).view(groups * many, height, width)
    keys, values = (part.index_select(1, view.keys).view(groups * many, -1, width) for part in (key, value))
    scores = torch.bmm(rows, keys.transpose(1, 2))
    scores.view(groups, many, height, -1).add_(view.mask)
    scores[:, :, 0] = log_sum[0].index_select(1, view.rows).view(groups * many, height)
    weights = scores.softmax(-1)
    kept = weights[:, :, 0].reshape(groups, -1).index_select(1, view.back)
    weights[:, :, 0] = 0.0
    near = torch.bmm(weights, values).view(groups, -1, width).index_select(1, view.back)
    return near.addcmul_(far[0], kept.unsqueeze(-1))


def joined(lines: Any, key: Any, value: Any, prefix: tuple[Any, Any], view: AttentionView) -> Any:
    """The same on any device: the guideline's keys before each row's own. No merging, some copying."""
    import torch

    groups, _, width = lines.shape
    many, height, _ = view.mask.shape
    rows = lines.index_select(1, view.rows).view(groups, many, height, width)
    own = view.keys.view(many, -1)[:, 1:].flatten()
    keys, values = (
        torch.cat([far[0].unsqueeze(1).expand(-1, many, -1, -1), near[:, own].view(groups, many, -1, width)], 2)
        for far, near in zip(prefix, (key, value), strict=True)
    )
    mask = torch.nn.functional.pad(view.mask[:, :, 1:], (prefix[0].shape[2], 0))
    seen = torch.nn.functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask, scale=1.0)
    return seen.reshape(groups, -1, width).index_select(1, view.back)

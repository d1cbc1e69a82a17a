"""A cross-encoder of the same size: the same base without a prompt, a fresh classifier's head, all weights trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rated_sets import VALUES, Item

# As many tokens of a query and of a candidate as the fine-tuned judge reads, and as many passes over the ratings.
EPOCHS, BATCH, RATE, QUERY_TOKENS, TOKENS = 1, 16, 5e-5, 16, 62


def train(train: Sequence[Item], base: str, out: Path, seed: int = 0) -> None:
    """One epoch over the training pairs; the model is written as the directory `out`, whole or not at all."""
    import torch
    from tqdm import tqdm

    from judge.engines.transformers import best_device
    from judge.models.model import find_model
    from judge.words.tokenizer import ModelTokenizer

    torch.manual_seed(seed)
    device, dtype = best_device()
    directory = find_model(base).directory
    model = _load(directory, device)
    rows = _tokens(ModelTokenizer(directory), train)
    rng = np.random.default_rng(seed)
    batches: list[list[int]] = []
    for _ in range(EPOCHS):
        epoch = list(_batches(rng.permutation(len(rows)).tolist(), rows))
        # A pool's batches come shortest first; what is learnt should not.
        batches += [epoch[i] for i in rng.permutation(len(epoch))]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    steps = len(batches)
    # Linear rise over a tenth, then linear fall.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps), 1.0)
    )
    model.train()
    with tqdm(desc="training", total=EPOCHS * len(rows)) as progress:
        for batch in batches:
            grades = torch.tensor([VALUES.index(train[i].grade) for i in batch], device=device)
            with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
                loss = torch.nn.functional.cross_entropy(_logits(model, [rows[i] for i in batch]).float(), grades)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            progress.update(len(batch))
    half = out.with_name(f"{out.name}.part")
    model.save_pretrained(half)
    half.rename(out)


def predict(test: Sequence[Item], trained: Path, base: str) -> list[int]:
    """Grades for the test pairs by the model that `train` wrote."""
    import torch

    from judge.engines.transformers import best_device
    from judge.models.model import find_model
    from judge.words.tokenizer import ModelTokenizer

    model = _load(trained, best_device()[0]).eval()
    asked = _tokens(ModelTokenizer(find_model(base).directory), test)
    found: dict[int, int] = {}
    with torch.inference_mode():
        for batch in _batches(list(range(len(asked))), asked):
            best = _logits(model, [asked[i] for i in batch]).argmax(dim=1).tolist()
            found |= {i: VALUES[b] for i, b in zip(batch, best, strict=True)}
    return [found[i] for i in range(len(asked))]


def _load(directory: Path, device: str) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    model: Any = AutoModelForSequenceClassification.from_pretrained(
        directory, num_labels=len(VALUES), dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    model.config.pad_token_id = 0
    return model.to(device)


def _tokens(tokenizer: Any, items: Sequence[Item]) -> list[list[int]]:
    """Query, a line's end, and the texts in their order, cut to `TOKENS`."""
    queries = tokenizer.plain([item.query for item in items])
    texts = tokenizer.plain(["\n" + "\n".join(item.texts.values()) for item in items])
    return [(query[:QUERY_TOKENS] + text)[:TOKENS] for query, text in zip(queries, texts, strict=True)]


def _batches(order: Sequence[int], rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Batches of like length, cut from pools of 16."""
    for start in range(0, len(order), 16 * BATCH):
        pool = sorted(order[start : start + 16 * BATCH], key=lambda i: len(rows[i]))
        yield from (pool[i : i + BATCH] for i in range(0, len(pool), BATCH))


def _logits(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """The head at each row's last token, shape (N, K)."""
    import torch

    width = max(map(len, rows))
    # Padding in front: the last token is the last column, and nothing is read from the head's own search for it.
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    hidden = model.model(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
    return model.score(hidden.last_hidden_state[:, -1])

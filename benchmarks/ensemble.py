"""A fine-tuned judge asked in several ways, whose log-probabilities are averaged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rated_sets import Item


def predict(test: Sequence[Item], adapter: Path) -> list[int]:
    """The likeliest grade by the mean over three ways: fields as trained, reversed, and without the last one."""
    from tqdm import tqdm

    from judge.engines import Judge, Serving
    from judge.labelling.resolve import JudgeRequest, resolve_judge
    from judge.records import Pair, Scores
    from judge.words.prompt import PromptBuilder

    guideline, judge_config = resolve_judge(JudgeRequest(str(adapter)))
    judge = Judge(judge_config.model, Serving(adapter=judge_config.adapter))
    fields = guideline.fields
    # Room for all of every field: reversed, the title would be what is cut.
    room = {"candidate_tokens": sum(field.tokens for field in fields)}
    ways = [
        guideline,
        guideline.model_copy(update={"fields": tuple(reversed(fields)), **room}),
        guideline.model_copy(update={"fields": fields[:-1]}),
    ]
    builders = [PromptBuilder(way, judge.tokenizer, judge_config.template, judge.model.context) for way in ways]
    engine = judge.open()
    pairs = [
        Pair(row=at, query_id=item.query, query=item.query, candidate_id=item.candidate_id, candidate=dict(item.texts))
        for at, item in enumerate(test, 1)
    ]
    means = np.zeros((len(pairs), len(guideline.values)))
    with tqdm(desc="asking", total=len(pairs) * len(ways)) as progress:
        for builder in builders:
            for start in range(0, len(pairs), engine.block):
                some = pairs[start : start + engine.block]
                for row, answer in enumerate(engine.score(builder.build(some)), start):
                    assert isinstance(answer, Scores), answer
                    means[row] += np.array(answer.logprobs) / len(ways)
                progress.update(len(some))
    return [guideline.values[best] for best in means.argmax(axis=1)]

"""Progress moves with every batch of an engine, and comes to the number of rows, whatever an engine tells."""

import pytest
from conftest import DOZEN

from judge.engines import Serving
from judge.engines.fake import FakeEngine, FakeTokenizer
from judge.labelling.job import Labelling
from judge.labelling.label import label_run
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.watching import done, listening
from judge.words.prompt import PromptBuilder


class Telling(FakeEngine):
    """Answers in batches of two, and tells of each; of some twice, as of a request that was sent again."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def score(self, prompts):
        for start in range(0, len(prompts), 2):
            for _ in range(self.tell):
                done(len(prompts[start : start + 2]))
        return super().score(prompts)


@pytest.mark.parametrize("tell", [0, 1, 3])
def test_every_batch_is_told_and_the_sum_is_the_rows(tmp_path, guideline, tell):
    run, told = Run(tmp_path / "run"), []
    with run.writing():
        Labelling(Source(DOZEN), guideline, "fake", Serving("fake")).begin(run)
        label_run(run, PromptBuilder(guideline, FakeTokenizer()), Telling(tell), told.append)
    rows = run.manifest.rows
    assert sum(told) == rows
    # All rows are one block. An engine that is silent moves the bar once; else each batch of two does.
    asked = run.tally().judged
    assert len([count for count in told if count]) == (1 if tell == 0 else -(-asked // 2) + (rows > asked))


def test_nobody_has_to_listen():
    done(5)
    with listening(lambda count: None, 3) as heard:
        done(2)
        done(2)
        assert heard() == 3
    done(5)


def test_the_embedded_engine_tells_of_every_pack(tiny_base, guideline, dozen):
    from judge.engines.options import default_options
    from judge.engines.transformers import TransformersEngine
    from judge.words.tokenizer import ModelTokenizer

    options = default_options().changed(transformers={"batch_tokens": 64, "workers": 1}).transformers
    engine = TransformersEngine(tiny_base, options, device="cpu", dtype="float32")
    prompts = PromptBuilder(guideline, ModelTokenizer(tiny_base), "judge-compact.v1").build(dozen)
    told = []
    with listening(told.append, len(prompts)):
        engine.score(prompts)
    assert (sum(told), len(told) > 3) == (len(prompts), True)


def test_the_encoder_tells_of_every_batch(tmp_path):
    from judge.models.fake_encoder import FakeEncoder
    from judge.search.encoding import encoded

    class Batches(FakeEncoder):
        def encode(self, texts, kind="document"):
            for start in range(0, len(texts), 4):
                done(len(texts[start : start + 4]))
            return super().encode(texts, kind)

    told = []
    encoded([f"title {n}" for n in range(10)], Batches(), "document", cache=tmp_path, progress=told.append)
    assert told == [4, 8, 10, 10]

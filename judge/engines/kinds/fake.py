"""No model: the real interface, to try out everything else."""

from judge.engines.fake import FAKE_MODEL, FakeEngine, FakeTokenizer
from judge.engines.kinds import EngineKind

ENGINE = EngineKind(
    name="fake",
    help="no model: grades drawn from the text's digest, to try out everything else",
    order=50,
    make=lambda setup: FakeEngine(),
    probabilities="always; they mean nothing",
    modelless=True,
    find=lambda name: FAKE_MODEL,
    tokenizer=lambda model: FakeTokenizer(),
    parts=lambda setup: {},
)

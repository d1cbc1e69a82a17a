"""The bill of asking about all pairs, estimated from a sample."""

from collections.abc import Iterable, Sequence

from judge.engines.chat.engine import ChatEngine
from judge.engines.chat.prompt import ChatPrompt
from judge.run.usage import Usage


def estimated(
    engine: ChatEngine, before: Usage, sample: Sequence[ChatPrompt], batches: Iterable[Sequence[ChatPrompt]]
) -> Usage:
    """What asking about all pairs would take, from what a sample took.

    Tokens in grow with the characters that are sent, and tokens out with the pairs; both are known of all pairs.

    Args:
        engine: That has answered the sample.
        before: What it had taken before.
        sample: The sample's prompts.
        batches: The prompts of all pairs, in the batches that `score` would get.
    """
    samples, took, sent = engine.samples, engine.usage, _sent(engine, sample)
    requests = pairs = chars = 0
    for batch in batches:
        more = _sent(engine, batch)
        requests, chars, pairs = requests + more[0], chars + more[1], pairs + len(batch)
    measured = (took.unmetered - before.unmetered) < (took.requests - before.requests)
    prompt, completion = took.prompt_tokens - before.prompt_tokens, took.completion_tokens - before.completion_tokens
    return Usage(
        requests=requests * samples,
        unmetered=0 if measured else requests * samples,
        prompt_tokens=round(prompt * chars / sent[1]),
        completion_tokens=round(completion * pairs / len(sample)),
    )


def _sent(engine: ChatEngine, prompts: Sequence[ChatPrompt]) -> tuple[int, int]:
    """Requests that ask about some prompts once, and the characters of their messages."""
    groups = engine.groups(prompts)
    messages = (group[0].script.messages(group, engine.names(group)) for group in groups)
    return len(groups), sum(len(message["content"]) for asked in messages for message in asked)

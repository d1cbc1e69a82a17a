"""Records of the tools in which people grade, as rows of named columns: one row a grade, or a reason why there is none.

| tool | a record is known by | its rows |
|---|---|---|
| Label Studio | `data` and `annotations` or `predictions` | one an annotation; `rater` is who completed it |
| Argilla | `fields` and `responses` or `suggestions` | one a user who responded |
| Prodigy | `_task_hash` and `answer` | itself; the grade is what was chosen, or else the answer |
| Quepid's books | `judgements` and `doc_id` | one a judgement |
| SageMaker Ground Truth | `LABEL-metadata`, an object | itself; the grade is that name, no number |
| OpenSearch | `ratings`, or `judgmentRatings` with such records | one a rating |
| Elasticsearch's ranking evaluation | `requests` with such records | one a rating; a request's `id` is the query's |

What an annotator skipped, cancelled, discarded or left as a draft is no grade, and says so; what is no object where a
grade should be is a row without values. Where nobody has answered
in the whole file, what a judge predicted or suggested is taken, as the grades of whom the file names for it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from judge.tables.crowds import REJECTED, TAINTED

Record = Mapping[str, Any]
Graded = tuple[dict[str, Any] | None, str | None]
"""A row's values, null where what should hold them is no object; and why it gives no grade, null where it may."""
UNANSWERED = "not_annotated"
IGNORED = "ignored"
NO_GRADE = (
    *("cancelled", "discarded", "draft", "pending", "unrateable", "judge_later"),
    *(IGNORED, REJECTED, TAINTED, UNANSWERED),
)
"""Why a row gives no grade, as the tool or the platform says."""


class Tool(NamedTuple):
    """How a tool's records are read."""

    rows: Callable[[Record, bool], Iterator[Graded]]
    """The rows of a record, of answers or else of what was suggested."""
    answered: Callable[[Record], bool]
    """Whether a person has answered."""


def tool_of(record: Record) -> Tool | None:
    """The tool that writes such records; null where a record is a row of its own."""
    if isinstance(record.get("data"), Mapping) and not record.keys().isdisjoint(("annotations", "predictions")):
        return Tool(_label_studio, lambda task: bool(task.get("annotations")))
    if isinstance(record.get("fields"), Mapping) and not record.keys().isdisjoint(("responses", "suggestions")):
        return Tool(_argilla, lambda one: any(True for _ in _responses(one)))
    if label := _ground_truth_label(record):
        return Tool(partial(_ground_truth, label), lambda line: _by_people(line, label))
    if "_task_hash" in record and "answer" in record:
        return Tool(_prodigy, lambda task: True)
    if isinstance(record.get("judgements"), list) and "doc_id" in record:
        return Tool(_quepid, lambda pair: True)
    if isinstance(record.get("judgmentRatings"), list) or isinstance(record.get("ratings"), list):
        return Tool(_opensearch, lambda query: True)
    return None


def _label_studio(task: Record, answers: bool) -> Iterator[Graded]:
    data = dict(_mapping(task.get("data")))
    listed = task.get("annotations" if answers else "predictions")
    given = _mappings(listed)
    if not listed or not isinstance(listed, list):
        yield data, UNANSWERED
    yield from _odd(listed)
    for one in given:
        who = one.get("completed_by") if answers else one.get("model_version")
        if isinstance(who, Mapping):
            who = who.get("email") or who.get("id")
        row = data | _results(one.get("result")) | {"rater": "prediction" if who is None else str(who)}
        if answers and one.get("created_at"):
            row["time"] = one["created_at"]
        yield row, "cancelled" if one.get("was_cancelled") else None


def _results(result: Any) -> dict[str, Any]:
    """The answers of an annotation by the names of their controls; the only choice there is also as `grade`."""
    found: dict[str, Any] = {}
    graded: list[Any] = []
    for part in _mappings(result):
        value = _mapping(part.get("value"))
        kind = next((kind for kind in ("choices", "rating", "number", "text") if kind in value), None)
        if kind is None:
            continue
        answer = value[kind]
        if isinstance(answer, list) and len(answer) == 1:
            answer = answer[0]
        found[str(part.get("from_name"))] = answer
        graded += [] if kind == "text" else [answer]
    return found if "grade" in found or len(graded) != 1 else found | {"grade": graded[0]}


def _argilla(record: Record, answers: bool) -> Iterator[Graded]:
    row = dict(_mapping(record.get("fields"))) | dict(_mapping(record.get("metadata")))
    found = list(_responses(record)) if answers else list(_suggested(record))
    listed = record.get("responses" if answers else "suggestions")
    if isinstance(listed, Mapping):  # by question: a list of answers each, or one suggestion
        listed = [part for said in listed.values() for part in (said if answers and isinstance(said, list) else [said])]
    odd = list(_odd(listed))
    if not found and not odd:
        yield row, UNANSWERED
    yield from odd
    for who, given, status in found:
        one = given if "grade" in given or len(given) != 1 else {**given, "grade": next(iter(given.values()))}
        yield row | one | {"rater": who}, status if status in NO_GRADE else None


def _responses(record: Record) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Each response: who gave it, the answers by question, and its status."""
    responses = record.get("responses")
    if isinstance(responses, Mapping):  # by question, as the client writes them
        users: dict[tuple[str, int], tuple[dict[str, Any], list[str | None]]] = {}
        for question, answers in responses.items():
            times: dict[str, int] = {}
            for answer in _mappings(answers):
                who = str(answer.get("user_id"))
                times[who] = times.get(who, 0) + 1
                given, status = users.setdefault((who, times[who]), ({}, []))
                given[str(question)] = answer.get("value")
                status.append(answer.get("status"))
        for (who, _), (given, status) in users.items():
            yield who, given, next(filter(None, status), None)
        return
    for response in _mappings(responses):  # by user, as the server has them
        values = {str(name): _mapping(value).get("value") for name, value in _mapping(response.get("values")).items()}
        yield str(response.get("user_id")), values, response.get("status")


def _suggested(record: Record) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    suggestions = record.get("suggestions")
    if isinstance(suggestions, Mapping):
        told = ((name, said) for name, said in suggestions.items() if isinstance(said, Mapping))
        suggestions = [{**said, "question_name": name} for name, said in told]
    agents: dict[str, dict[str, Any]] = {}
    for said in _mappings(suggestions):
        agent = str(said.get("agent") or "suggestion")
        agents.setdefault(agent, {})[str(said.get("question_name"))] = said.get("value")
    for agent, given in agents.items():
        yield agent, given, None


def _prodigy(task: Record, answers: bool) -> Iterator[Graded]:
    row = {**_mapping(task.get("meta")), **task}
    answer, chosen = task.get("answer"), task.get("accept")
    grade = chosen[0] if isinstance(chosen, list) and len(chosen) == 1 else chosen
    row.setdefault("grade", answer if "accept" not in task else grade)
    who = task.get("_annotator_id") or task.get("_session_id")
    if who:
        row.setdefault("rater", who)
    yield row, IGNORED if answer == "ignore" else REJECTED if answer == "reject" and "accept" in task else None


def _ground_truth_label(record: Record) -> str | None:
    """The name of the job whose answers stand in a line of a manifest."""
    end, signs = "-metadata", {"class-name", "human-annotated", "job-name"}
    names = (
        key.removesuffix(end) for key, told in record.items() if key.endswith(end) and signs & _mapping(told).keys()
    )
    return next(names, None)


def _by_people(line: Record, label: str) -> bool:
    return _mapping(line.get(f"{label}-metadata")).get("human-annotated") != "no"


def _ground_truth(label: str, line: Record, answers: bool) -> Iterator[Graded]:
    told = _mapping(line.get(f"{label}-metadata"))
    # The number of a class says only where it stands in a list that is not in the file.
    grade = told.get("class-name", line.get(label))
    row = {**line, label: grade, "grade": grade} | ({} if answers else {"rater": "prediction"})
    yield row, UNANSWERED if answers and not _by_people(line, label) else None


def _quepid(pair: Record, answers: bool) -> Iterator[Graded]:
    row = dict(_mapping(pair.get("document_fields")))
    row |= {"query": pair.get("query_text", pair.get("query")), "candidate_id": pair.get("doc_id")}
    given = _mappings(pair.get("judgements"))
    if not pair.get("judgements"):
        yield row, UNANSWERED
    yield from _odd(pair.get("judgements"))
    for one in given:
        user = one.get("user")
        who = (
            one.get("user_email") or one.get("user_name") or (user.get("email") if isinstance(user, Mapping) else user)
        )
        aside = next((reason for reason in ("unrateable", "judge_later") if one.get(reason)), None)
        yield row | {"rater": who, "grade": one.get("rating"), "explanation": one.get("explanation")}, aside


def _opensearch(judgments: Record, answers: bool) -> Iterator[Graded]:
    queries = judgments.get("judgmentRatings")
    if queries and isinstance(queries, list):
        for query in _mappings(queries):
            yield from _opensearch(query, answers)
        yield from _odd(queries)
        return
    ratings = judgments.get("ratings")
    query = {"query_id": judgments.get("id")} if "request" in judgments else {"query": judgments.get("query")}
    if not ratings or not isinstance(ratings, list):
        yield query, UNANSWERED
    yield from _odd(ratings)
    for rating in _mappings(ratings):
        yield {**query, "candidate_id": rating.get("docId", rating.get("_id")), "grade": rating.get("rating")}, None


def _odd(value: Any) -> Iterator[Graded]:
    """A row for each part of a list that is no object."""
    if isinstance(value, list):
        yield from ((None, None) for part in value if not isinstance(part, Mapping))


def _mapping(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Record]:
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []

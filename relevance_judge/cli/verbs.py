"""The verbs by the stage of the work they belong to. A verb is imported when it is asked for, not by `judge --help`."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click

STAGES: Mapping[str, Mapping[str, str]] = {
    "prepare": {
        "doctor": "Check what is installed, what can run, and what is missing.",
        "guideline": "Print a guideline, or write it as the annotators' handbook.",
        "validate": "Check pairs and catalogue, and list everything wrong with them.",
        "import": "Make a run from grades that people already gave.",
        "aggregate": "Combine several raters' grades into one grade a pair.",
    },
    "judge": {
        "label": "Grade every pair with an LLM judge, into a run directory.",
        "plan": "Stage pairs once, for workers that label them together.",
        "status": "Show a run's counts by status and grade.",
        "finish": "Check that a planned run has every label, and mark it finished.",
        "refresh": "Label what changed since an earlier run, and keep the rest.",
        "calibrate": "Calibrate a judge's probabilities on held-out ratings.",
        "finetune": "Fine-tune a small judge on people's ratings.",
    },
    "trust": {
        "agree": "Compare runs with people's grades, or people with each other.",
        "audit": "Flag labels that clicks, carts and purchases contradict.",
        "probe": "Count how often changes that must not move a grade move it.",
        "diff": "Show what changed between two versions of labels.",
        "trace": "Show where one label came from, and where it went.",
    },
    "people": {
        "queue": "Write the review queue: flagged pairs, most valuable first.",
        "review": "Serve a local page for deciding on flagged labels.",
        "decide": "Append people's decisions to a run.",
        "adjudicate": "Have another judge decide flagged labels that are sure.",
    },
    "ship": {
        "mine": "Find the pairs that are worth judging next.",
        "queries": "Make queries that a catalogue can answer.",
        "export": "Write a run's labels as training sets, qrels or review sheets.",
        "push": "Publish a run's labels, or a trained model, on the Hub.",
    },
    "prove": {
        "train": "Train a retriever on a listwise set.",
        "search": "Search a catalogue for queries, and write a TREC run.",
        "evaluate": "Measure search by people's grades.",
    },
}
"""Stage to verb to what it does: the first sentence of the verb's own help."""
KEYWORDS = {"import": "import_"}
"""Verbs that Python keeps for itself, and what their modules and functions are called."""


class Verbs(click.Group):
    """The verbs, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the work."""
        return [verb for verbs in STAGES.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb's command; null where there is none of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        name = KEYWORDS.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"relevance_judge.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A verb by the first word; one that there is none of is told with the nearest that there is."""
        near = get_close_matches(args[0], self.list_commands(ctx), 1)
        if near and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise click.UsageError(f"No such command {args[0]!r}; did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by stage, each with its whole summary on one line."""
        width = max(map(len, self.list_commands(ctx)))
        for stage, verbs in STAGES.items():
            with formatter.section(stage.capitalize()):
                formatter.write_dl([(verb.ljust(width), what) for verb, what in verbs.items()])

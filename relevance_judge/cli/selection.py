"""What of a run goes out: options shared by the verbs that ship labels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from relevance_judge.cli.params import choice, count, flag, share, text

if TYPE_CHECKING:
    from judge.export.selection import Selection


@dataclass(frozen=True)
class SelectionParams:
    """Which labels are taken, what is made of them, and which rows are set against which."""

    min_confidence: Annotated[
        float, share("--min-confidence", "Leave out grades less probable; people's are certain.", 0.0)
    ]
    splits: Annotated[
        str | None, text("--splits", "NAME=SHARE,…", "Split by query: train=0.8,validation=0.1,test=0.1.")
    ]
    products: Annotated[
        str, choice("--products", ("apart", "shared"), "Whether a product may be on two sides of a split.")
    ]
    per_query: Annotated[int | None, count("--per-query", "At most N rows of a query, grades in turn.")]
    balance: Annotated[bool, flag("--balance", "As many rows of each grade as of the rarest.")]
    without_flagged: Annotated[bool, flag("--without-flagged", "Leave out labels that are flagged and undecided.")]
    fields: Annotated[
        str | None, text("--fields", "NAME,…", "Fields that make a candidate's text; the guideline's, in order.")
    ]
    score: Annotated[str, choice("--score", ("grade", "expected"), "What a scored pair's score is, in [0, 1].")]
    labelled: Annotated[bool, flag("--labelled", "Pairs with the grade as a class, not a score.")]
    negatives: Annotated[int, count("--negatives", "Negatives for each positive.", default=4)]
    mix: Annotated[
        str,
        choice("--mix", ("even", "near", "far"), "Of which lower grades: each in turn, nearest first, lowest first."),
    ]
    negative_confidence: Annotated[
        float, share("--negative-confidence", "Grades less probable are no negatives and no positives.", 0.5)
    ]
    hard: Annotated[
        str,
        choice(
            "--hard",
            ("any", "first", "only"),
            "Mined 0s ranked above a known 2, and 2s ranked low: as any, preferred, or in every record.",
        ),
    ]
    positives: Annotated[str | None, text("--positives", "GRADE,…", "Grades that are positives; all but the lowest.")]

    def selection(self) -> "Selection":
        """As the export takes it.

        Raises:
            InputError: A value is none that can be; names the option.
        """
        from judge.export.selection import read_selection

        return read_selection(
            min_confidence=self.min_confidence,
            splits=self.splits,
            products=self.products,
            per_query=self.per_query,
            balance=self.balance,
            flagged="leave_out" if self.without_flagged else "keep",
            fields=self.fields,
            score=self.score,
            pairs="labelled" if self.labelled else "scored",
            hard=self.hard,
            negatives={
                "count": self.negatives,
                "mix": self.mix,
                "min_confidence": self.negative_confidence,
                "positives": self.positives,
            },
        )

"""Teaching, end to end on a tiny base: files in, an adapter out that judges as it was taught."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import COMMAND, ROOT

from judge.adapter import read_tuned

pytestmark = pytest.mark.slow


def test_teaching_writes_an_adapter_that_labels_without_further_options(main, tiny_base, rated_file, quick):
    config = quick(epochs=30, patience=30, dropout=0.0)
    told = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", config, "--json").json
    assert told["training"]["pairs"]["train"] > 40
    losses = [look["training_loss"] for look in told["training"]["looks"]]
    assert losses[-1] < 0.5 < losses[0], losses
    labelled = main("label", rated_file, "--judge", "ours", "--out", "run", "--json").json
    assert labelled["status"]["graded"] == 72

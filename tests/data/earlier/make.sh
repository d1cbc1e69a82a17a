#!/bin/sh
# How the files of this folder were made; README.md says what each is. In a copy of this folder, with the project
# installed:
#
#     sh make.sh
#
# It replaces what it made before. The inputs (the CSV files, catalogue.jsonl, config.yaml) are written by hand or drawn
# once, and are not made here.
set -eu
rm -rf base adapter teaching plain labelled halfway imported audit exports calibration.json whole.csv

# The command line, after some lines of Python that change what the fake engine does, or that end the process.
patched() {
    python - "$@" <<PYTHON
import os, signal
$BEFORE
from cli.main import main
main()
PYTHON
}

# A base of random weights: a llama of one layer, a token a byte, its head loud enough for an adapter to be heard.
python - <<'PYTHON'
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

letters = sorted(pre_tokenizers.ByteLevel.alphabet())
backend = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
backend.decoder = decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained("base")
torch.manual_seed(0)
shape = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(letters), max_position_embeddings=2048, initializer_range=0.06, **shape))
model.lm_head.weight.data *= 8
model.save_pretrained("base")
PYTHON

# A judge that was taught, and the same training killed right after its second checkpoint.
judge finetune lessons.csv --base base --config config.yaml --out adapter
BEFORE='
import finetune.loop
save, saved = finetune.loop.save, []
def killed(*given):
    save(*given)
    saved.append(given)
    if len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
finetune.loop.save = killed
'
patched finetune lessons.csv --base base --config config.yaml --out teaching || true
# A base is called by its whole path; without it the folder can lie anywhere.
sed -i "s#\"$PWD/base\"#\"base\"#" adapter/judge.json

# A calibration, of a run that is then thrown away: `halfway` is the same run, killed. whole.csv is what it would have held.
judge label pairs.csv --catalogue catalogue.jsonl --skip-bad-rows --engine fake --out plain
judge calibrate plain ratings.csv --out calibration.json
judge export plain --to csv --out whole.csv
rm -r plain

# Killed while it was writing its fourth part: three parts, one half written, the lock, and rows without a label.
BEFORE='
import judge.label, judge.store
from judge.engines.fake import FakeEngine
judge.label.PART_SECONDS, FakeEngine.block = 0.0, 16
keep = judge.store.keep
def killed(partial, target):
    if len(list(target.parent.glob("part-*.parquet"))) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(partial, target)
judge.store.keep = killed
'
patched label pairs.csv --catalogue catalogue.jsonl --skip-bad-rows --engine fake --out halfway || true

# A run with every status (the fake engine fails where a text says so), flags, decisions and exports.
BEFORE='
from judge.engines.fake import FakeEngine
FakeEngine.__init__.__defaults__ = (0.0, "unscorable")
'
patched label pairs.csv --catalogue catalogue.jsonl --skip-bad-rows --engine fake \
    --calibration calibration.json --max-noise 0.4 --out labelled
mkdir exports
judge audit labelled events.csv --people people.csv --out audit
judge decide labelled decisions.csv --author Ana
judge adjudicate labelled --with adapter
judge decide labelled later.csv --author Ben
judge export labelled --to jsonl --out exports/all.jsonl
judge export labelled --to trec --out exports/all.qrels
judge export labelled --to triplets --splits train=0.6,test=0.4 --products shared --negative-confidence 0.3 --out exports/triplets
judge export labelled --to judgments --splits train=0.6,test=0.4 --out exports/judgments

# People's grades, with flags.
judge import people.csv --catalogue catalogue.jsonl --out imported
judge audit imported events.csv --out audit-imported
rm -r audit-imported
find . -name '*.lock' ! -path './halfway/*' ! -path './teaching/*' -delete

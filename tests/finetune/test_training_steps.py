"""Steps of a fine-tuning: what they compute, and what memory they take."""

import json
from dataclasses import replace

import pytest

from finetune import frozen
from finetune.checkpoint import Progress, save
from finetune.job import finetune
from finetune.network import Network
from judge.errors import EngineError, RunError
from judge.labelling.config import read_tuned

pytestmark = pytest.mark.slow


def test_what_is_shared_is_computed_once_and_changes_neither_loss_nor_gradient(prepared):
    import torch

    network = Network(prepared.base, prepared.config, prepared.training_set)
    batch = prepared.training_set.train[:5]
    network.model.eval()  # no dropout: its masks would differ in shape
    for weight in network.trainable.values():
        torch.nn.init.normal_(weight, std=0.05)
    found = network.logprobs(batch)
    found.sum().backward()
    shared = {name: weight.grad.clone() for name, weight in network.trainable.items()}
    network.model.zero_grad()
    whole = []
    for example in batch:
        logits = network.model(input_ids=torch.tensor([[*network.shared, *example.tokens]])).logits[0, -1]
        whole.append(logits.log_softmax(-1)[network.labels])
    torch.stack(whole).sum().backward()
    assert torch.allclose(found, torch.stack(whole), atol=1e-4)
    assert any(gradient.abs().max() > 0.1 for gradient in shared.values())
    for name, weight in network.trainable.items():
        assert torch.allclose(shared[name], weight.grad, atol=1e-3), name
    assert all("lm_head" not in name for name in network.trainable)


def test_pieces_of_a_step_add_up_to_the_step(prepared):
    import torch

    network = Network(prepared.base, prepared.config.changed(dropout=0.0), prepared.training_set)
    batch = prepared.training_set.train[:7]
    loss = network.learn(batch, 10_000)
    whole = {name: weight.grad.clone() for name, weight in network.trainable.items()}
    network.model.zero_grad()
    assert network.learn(batch, 70) == pytest.approx(loss, rel=1e-5)
    assert all(torch.allclose(whole[name], weight.grad, atol=1e-4) for name, weight in network.trainable.items())


def test_a_pair_that_weighs_more_counts_more_in_whatever_step_it_is(prepared):
    import torch

    network = Network(prepared.base, prepared.config, prepared.training_set)
    one, other = prepared.training_set.train[:2]
    losses = [network.learn([example], 4096) for example in (one, other)]
    network.model.zero_grad()
    network.learn([one], 4096)
    plain = {name: weight.grad.clone() for name, weight in network.trainable.items()}
    network.model.zero_grad()
    heavy = replace(one, weight=3.0)
    # Alone it has three times its loss and gradient; beside another, of (3a + b) / 2.
    assert network.learn([heavy], 4096) == pytest.approx(3 * losses[0], rel=1e-5)
    assert all(torch.allclose(3 * plain[name], weight.grad, atol=1e-4) for name, weight in network.trainable.items())
    assert network.learn([heavy, other], 4096) == pytest.approx((3 * losses[0] + losses[1]) / 2, rel=1e-5)


@pytest.fixture
def no_room(monkeypatch):
    """Makes every piece of more than 1,000 tokens end with this error."""
    learn = Network.learn

    def say(words):
        def small(self, examples, tokens):
            if tokens > 1000:
                raise RuntimeError(words)
            return learn(self, examples, tokens)

        monkeypatch.setattr(Network, "learn", small)

    return say


def test_out_of_memory_names_the_batch_that_fits(prepared, no_room):
    network = Network(prepared.base, prepared.config, prepared.training_set)
    no_room("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes")
    with pytest.raises(EngineError, match="one of 512 does") as refused:
        network.fit_memory(prepared.training_set.train, 1000, 4096)
    assert "batch_tokens: 512" in refused.value.hint
    network.fit_memory(prepared.training_set.train, 1000, 512)
    # Less than one pair has: it runs alone, and whether that fits is tried.
    network.fit_memory(prepared.training_set.train, 1000, 1)


def test_a_training_goes_on_with_the_batch_that_fits(main, tiny_base, rated_file, quick, tmp_path, no_room):
    no_room("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
    given = ["finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config"]
    refused = main(*given, quick(epochs=1), code=1)
    assert "set batch_tokens: 512" in refused.err
    main(*given, quick(epochs=1, batch_tokens=512, checkpoint_every=3))
    assert read_tuned(tmp_path / "ours").training["config"]["batch_tokens"] == 512
    main(*given, quick(epochs=1, batch_tokens=256))
    assert "batch_tokens: 512\n" in (tmp_path / "ours" / "lora.yaml").read_text(), "what is done is not said anew"


def test_memory_that_runs_out_on_the_way_is_told_as_such(main, tiny_base, rated_file, quick, monkeypatch):
    import torch

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    given = ["finetune", rated_file, "--base", tiny_base, "--config", quick(epochs=1), "--out", "ours"]
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Module, "to", full)
        assert f"{tiny_base}: does not fit into memory" in main(*given, code=2).err
    monkeypatch.setattr("finetune.loop.examine", full)
    refused = main(*given, code=1).err
    assert "memory ran out at a batch of 4,096 tokens" in refused
    assert "set batch_tokens: 2048" in refused


@pytest.mark.parametrize("groups", [{}, {name: {"w": 0} for name in ("now", "best", "step", "exp_avg", "exp_avg_sq")}])
def test_a_checkpoint_of_another_training_is_not_gone_on_with(prepared, tmp_path, groups):
    import torch

    tensors = {group: {name: torch.zeros(1) for name in named} for group, named in groups.items()}
    save(tmp_path / "checkpoint.safetensors", Progress(step=1), tensors)
    (tmp_path / "training.json").write_text(json.dumps(dict(prepared.key.parts)))
    with pytest.raises(RunError, match="of another training"):
        finetune(prepared, tmp_path)


def test_16_bit_bases_are_taught_by_logits_that_are_not_rounded(prepared, monkeypatch):
    monkeypatch.setattr("finetune.network.chosen_device", lambda _: ("cpu", "bfloat16"))
    network = Network(prepared.base, prepared.config, prepared.training_set)
    network.model.eval()
    head, rows = network.model.get_base_model().lm_head, []
    head.register_forward_hook(lambda _, given, __: rows.append(given[0][:, -1].double()))
    found = network.logprobs(prepared.training_set.train[:5])
    expected = (rows[-1] @ head.weight.double().T).log_softmax(-1)[:, network.labels]
    assert abs(found - expected).max() < 1e-4
    found.sum().backward()
    assert any(weight.grad.abs().max() > 0 for weight in network.trainable.values())


@pytest.mark.parametrize("library", ["MKL", "oneDNN"])
def test_weights_in_a_librarys_order_give_the_loss_and_the_gradients_of_plain_ones(prepared, monkeypatch, library):
    import torch

    from judge.engines import product

    backend = {"MKL": torch.backends.mkl, "oneDNN": torch.backends.mkldnn}[library]
    if not backend.is_available():
        pytest.skip(f"this torch has no {library}")
    batch, found = prepared.training_set.train[:5], []
    for order in (None, library):
        for module in (product, frozen):
            monkeypatch.setattr(module, "reordering", lambda order=order: order)
        network = Network(prepared.base, prepared.config.changed(dropout=0.0), prepared.training_set)
        assert any("forward" in vars(layer) for layer in network.model.modules()) == (order is not None)
        for at, weight in enumerate(network.trainable.values()):
            torch.manual_seed(at)
            torch.nn.init.normal_(weight, std=0.05)
        loss = network.learn(batch, 10_000)
        found.append((loss, {name: weight.grad for name, weight in network.trainable.items()}))
    (loss, plain), (other, reordered) = found
    assert other == pytest.approx(loss, rel=1e-5)
    assert all(torch.allclose(plain[name], gradient, atol=1e-4) for name, gradient in reordered.items())
    assert max(float(gradient.abs().max()) for gradient in plain.values()) > 0.01

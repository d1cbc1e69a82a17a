"""The layers under an adapter in a library's order: what they compute is what they computed before."""

import pytest

from finetune import frozen
from finetune.frozen import reorder
from judge.engines import product


@pytest.mark.parametrize("library", ["MKL", "oneDNN"])
def test_layers_with_biases_and_a_head_that_is_the_embedding_compute_what_they_did(monkeypatch, library):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    backend = {"MKL": torch.backends.mkl, "oneDNN": torch.backends.mkldnn}[library]
    if not backend.is_available():
        pytest.skip(f"this torch has no {library}")
    for module in (product, frozen):
        monkeypatch.setattr(module, "reordering", lambda: library)
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "tie_word_embeddings": True}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=50, hidden_size=32, intermediate_size=64, **shape))
    biases = [weight for name, weight in model.named_parameters() if name.endswith("bias")]
    for bias in biases:
        torch.nn.init.normal_(bias)
    names = ["q_proj", "down_proj", "lm_head"]
    with pytest.warns(UserWarning, match="tie_word_embeddings"):
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=names, task_type="CAUSAL_LM"))
    layers = [module.base_layer for module in adapted.modules() if hasattr(module, "base_layer")]
    embedding, ids = model.get_input_embeddings().weight, torch.arange(12).view(2, 6)

    def learnt():
        adapted.zero_grad()
        logits = adapted(input_ids=ids, labels=ids)
        logits.loss.backward()
        return logits.logits.detach(), [each.grad.clone() for each in adapted.parameters() if each.requires_grad]

    logits, gradients = learnt()
    before = embedding.clone()
    reorder(adapted)
    found, others = learnt()
    assert len(layers) == 3
    assert biases
    assert all("forward" in vars(layer) and layer.weight.untyped_storage().nbytes() == 4 for layer in layers)
    assert torch.equal(embedding, before)
    assert torch.allclose(found, logits, atol=1e-5)
    assert max(float(each.abs().max()) for each in gradients) > 1e-3
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(gradients, others, strict=True))

"""Each embedded model is equal to what it was converted from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoTokenizer,
    BertModel,
    Dinov2Model,
    LlamaForCausalLM,
)

from lichen.backbones.embedded import (
    load_embedded,
    load_embedded_folder,
    load_processor,
    loading,
    smollm2,
)
from lichen.backbones.embedded.efficientnet_lite import (
    EfficientNetLiteConfig,
    EfficientNetLiteForImageClassification,
    EfficientNetLiteModel,
)
from lichen.backbones.embedded.onnx_reader import read_onnx
from lichen.errors import CheckpointError, InputError, MissingPackageError

from .packages import need, picture

# The ONNX reader


def test_onnx_reader_agrees_with_the_onnx_package(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the reader is compared with the package onnx (extra dev)")
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(3, 5)), "scalar": np.array(2.5), "deep": rng.normal(size=(2, 1, 200))}
    tensors = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()]
    tensors.append(onnx.numpy_helper.from_array(np.arange(4), "integers"))
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="/a/MatMul")]
    value = onnx.helper.make_tensor_value_info
    ends = [value("x", 1, [1, 3])], [value("y", 1, [1, 5])]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", *ends, tensors)), tmp_path / "m.onnx")
    graph = read_onnx(tmp_path / "m.onnx")
    assert graph.inputs == {"/a/MatMul": ("x", "w")}
    assert set(graph.tensors) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(graph.tensors[name].numpy(), array.astype(np.float32))
    np.testing.assert_array_equal(graph.input_of("/a/MatMul", 1), arrays["w"].astype(np.float32))
    for node, position in (("/a/MatMul", 0), ("/a/MatMul", 7), ("/b/MatMul", 0)):
        with pytest.raises(CheckpointError, match="holds no weight"):
            graph.input_of(node, position)
    data = (tmp_path / "m.onnx").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "cut.onnx").write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            graph = read_onnx(tmp_path / "cut.onnx")
            assert set(graph.tensors) == set(arrays), "a cut file lost weights in silence"
            raise CheckpointError("whole graph read; only trailing fields are missing")


@given(data=st.binary(max_size=300), wrap=st.booleans())
def test_onnx_reader_survives_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, wrap: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    # Wrapped as one initializer of a graph, so that the bytes reach the tensor reader.
    inner = b"\x2a" + bytes([len(data) % 128]) + data[:127]
    path.write_bytes(b"\x3a" + bytes([len(inner) % 128]) + inner if wrap else data)
    try:
        graph = read_onnx(path)
    except CheckpointError:
        return
    assert graph.tensors


# minilm


def test_minilm_ranks_meanings() -> None:
    folder = need("minilm").parent
    assert load_embedded_folder("minilm") == folder
    model, tokenizer = load_embedded("minilm"), load_processor("minilm")
    assert isinstance(model, BertModel) and not model.training and model.dtype == torch.float32
    batch = tokenizer(
        ["A cat sits on a mat.", "A kitten is on the rug.", "Stocks fell."], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    vectors = nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    print(f"minilm: cosine of like sentences {near:.3f}, of unlike {far:.3f}")
    assert near > 0.5 > 0.2 > far


# dinov2-small


def onnx_outputs(weights: Path, names: list[str], pixels: Tensor) -> list[np.ndarray]:
    """Inner tensors of the exported graph, computed by onnxruntime."""
    onnx = pytest.importorskip("onnx", reason="comparing with the exported graph needs onnx (extra dev)")
    runtime = pytest.importorskip(
        "onnxruntime", reason="comparing with the exported graph needs onnxruntime (extra dev)"
    )
    model = onnx.load(weights)
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in names)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(names, {"input_image": pixels.numpy()})
    return outputs


def test_dinov2_equals_the_exported_graph() -> None:
    weights = need("dinov2-small")
    model = load_embedded("dinov2-small")
    assert isinstance(model, Dinov2Model) and not model.training and model.dtype == torch.float32
    pixels = load_processor("dinov2-small")([picture(0), picture(1, 300, 90)], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (2, 3, 224, 224)
    names = [f"/backbone/encoder/layer.{layer}/Add_1_output_0" for layer in range(12)]
    names = ["/backbone/embeddings/Add_output_0", *names, "/backbone/layernorm/Add_1_output_0"]
    expected = onnx_outputs(weights, names, pixels)
    with torch.no_grad():
        output = model(pixels, output_hidden_states=True)
    worst = [
        float(np.abs(ours.numpy() - theirs).max())
        for ours, theirs in zip([*output.hidden_states, output.last_hidden_state], expected, strict=True)
    ]
    print(f"dinov2-small: largest difference of hidden states {max(worst[:-1]):.1e}, of the output {worst[-1]:.1e}")
    assert output.last_hidden_state.shape == (2, 257, 384)
    assert output.last_hidden_state.std() > 0.5
    assert max(worst) <= 1e-4


def test_dinov2_folder_serves_the_auto_classes() -> None:
    need("dinov2-small")
    folder = load_embedded_folder("dinov2-small")
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert model.config.image_size == 518 and model.embeddings.position_embeddings.shape == (1, 37 * 37 + 1, 384)
    processor = AutoImageProcessor.from_pretrained(folder)
    image = picture(2)
    pixels = processor(image, return_tensors="pt")["pixel_values"]
    plain = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float64) / 255
    expected = ((plain - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
    np.testing.assert_allclose(pixels[0].numpy(), expected, atol=1e-5)


# efficientnet-lite0


@pytest.mark.parametrize("size", [(224, 224), (193, 150)])
def test_efficientnet_equals_the_reference(size: tuple[int, int]) -> None:
    weights = need("efficientnet-lite0")
    reference = pytest.importorskip("efficientnet_lite_pytorch", reason="the reference architecture is in embedded.txt")
    # Image size None makes the reference pad by the input at hand, at 224 pixels it pads by a fixed plan.
    theirs = reference.EfficientNet.from_name("efficientnet-lite0", image_size=224 if size[0] == 224 else None)
    theirs.load_state_dict(torch.load(weights, weights_only=True))
    theirs.eval()
    ours = AutoModelForImageClassification.from_pretrained(load_embedded_folder("efficientnet-lite0")).eval()
    assert isinstance(ours, EfficientNetLiteForImageClassification)
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = ours.efficientnet_lite(pixels)
        head = theirs.extract_features(pixels)
        logits = float((ours(pixels).logits - theirs(pixels)).abs().max())
    pooled = float((features.pooler_output - head.mean((2, 3), keepdim=True)).abs().max())
    print(f"efficientnet-lite0 at {size}: largest difference of pooled {pooled:.1e}, of logits {logits:.1e}")
    assert head.std() > 0.01
    assert pooled <= 1e-5 and logits <= 1e-5


def test_efficientnet_contract() -> None:
    need("efficientnet-lite0")
    model = load_embedded("efficientnet-lite0")
    assert isinstance(model, EfficientNetLiteModel) and not model.training and model.dtype == torch.float32
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        output = model(pixels, output_hidden_states=True)
        assert model(pixels).hidden_states is None
        tuple_output = model(pixels, output_hidden_states=True, return_dict=False)
        torch.testing.assert_close(model.pooler(output.last_hidden_state), output.pooler_output, rtol=0, atol=0)
        late = model.encoder.stages[-1](output.hidden_states[-2])
        torch.testing.assert_close(late, output.last_hidden_state, rtol=0, atol=0)
    assert [tuple(state.shape[1:]) for state in output.hidden_states] == [
        (32, 112, 112),
        (16, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (80, 14, 14),
        (112, 14, 14),
        (192, 7, 7),
        (320, 7, 7),
    ]
    assert output.last_hidden_state is output.hidden_states[-1]
    assert output.pooler_output.shape == (2, 1280, 1, 1)
    torch.testing.assert_close(tuple_output[0], output.last_hidden_state, rtol=0, atol=0)
    torch.testing.assert_close(tuple_output[1], output.pooler_output, rtol=0, atol=0)
    assert len(tuple_output[2]) == 8
    with pytest.raises(InputError, match="reads 3 channels"):
        model(torch.zeros(1, 1, 224, 224))


def test_efficientnet_preprocessing_fits_the_running_statistics() -> None:
    """On photographs, the channel means and variances before each batch norm must be near those seen in training."""
    need("efficientnet-lite0")
    datasets = pytest.importorskip("sklearn.datasets", reason="two photographs come with scikit-learn")
    photographs = [Image.fromarray(datasets.load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    model, processor = load_embedded("efficientnet-lite0"), load_processor("efficientnet-lite0")

    def spread(pixels: Tensor) -> float:
        ratios: list[float] = []

        def record(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
            variance = inputs[0].var((0, 2, 3)) + norm.eps
            ratios.append(float((variance / (norm.running_var + norm.eps)).log().mean()))

        hooks = [part.register_forward_pre_hook(record) for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
        with torch.no_grad():
            model(pixels)
        for hook in hooks:
            hook.remove()
        return float(np.mean(ratios[:10]))

    ours = spread(processor(photographs, return_tensors="pt")["pixel_values"])
    statistics = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    usual = spread(processor(photographs, return_tensors="pt", **statistics)["pixel_values"])
    print(f"efficientnet-lite0: mean log ratio of variances {ours:+.3f} as shipped, {usual:+.3f} with ImageNet's")
    assert abs(ours) < 0.5 * abs(usual)


def test_small_efficientnet_trains_and_reloads(tmp_path: Path) -> None:
    loading.register_architectures()
    config = EfficientNetLiteConfig(
        stem_size=4, hidden_sizes=[4, 6], depths=[1, 2], kernel_sizes=[3, 5], strides=[1, 2]
    )
    config.expand_ratios, config.hidden_dim, config.num_labels, config.drop_connect_rate = [1, 3], 8, 3, 0.9
    torch.manual_seed(0)
    model = EfficientNetLiteForImageClassification(config)
    pixels, labels = torch.randn(4, 3, 17, 23), torch.tensor([0, 1, 2, 0])
    model.train()
    block = model.efficientnet_lite.encoder.stages[1].layers[1]
    hidden = torch.randn(64, 6, 3, 3)
    kept = (block(hidden) != hidden).flatten(1).any(1)
    assert block.skips and 0 < kept.sum() < 64  # Stochastic depth drops whole samples.
    model(pixels, labels=labels).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    model.save_pretrained(tmp_path)
    reloaded = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    trunk = AutoModel.from_pretrained(tmp_path).eval()
    assert reloaded.config.hidden_sizes == [4, 6] and isinstance(trunk, EfficientNetLiteModel)
    with torch.no_grad():
        expected = model(pixels, return_dict=False, output_hidden_states=True)
        torch.testing.assert_close(reloaded(pixels).logits, expected[0], rtol=0, atol=0)
        torch.testing.assert_close(trunk(pixels).last_hidden_state, expected[1][-1], rtol=0, atol=0)


# smollm2


def test_smollm2_without_gguf_gives_the_install_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smollm2.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install gguf"):
        smollm2.convert_smollm2(tmp_path / "model.gguf", tmp_path)


@pytest.mark.slow
def test_smollm2_speaks_and_keeps_its_weights() -> None:
    weights = need("smollm2")
    gguf = pytest.importorskip("gguf", reason="reading the GGUF file needs gguf (extra gguf)")
    model, tokenizer = load_embedded("smollm2"), load_processor("smollm2")
    assert isinstance(model, LlamaForCausalLM) and not model.training and model.dtype == torch.float32
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    answer = tokenizer.decode(model.generate(**prompt, do_sample=False, max_new_tokens=6)[0])
    print(f"smollm2: {answer!r}")
    assert answer.startswith("The capital of France is Paris.")
    folder = load_embedded_folder("smollm2")
    _, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    # One quantised weight, dequantised by the gguf package itself; rows of the value projection are not permuted.
    tensor = next(item for item in gguf.GGUFReader(weights).tensors if item.name == "blk.7.attn_v.weight")
    plain = gguf.dequantize(tensor.data, tensor.tensor_type)
    stored = model.model.layers[7].self_attn.v_proj.weight.detach().numpy()
    error = float((np.abs(stored - plain) / np.abs(plain).clip(1e-12)).max())
    print(f"smollm2: largest relative error of a stored weight {error:.1e}")
    assert error < smollm2.HALF_TOLERANCE
    # Spaces before a digit stay together, because digits are set apart first.
    loaded = AutoTokenizer.from_pretrained(folder)
    assert loaded.convert_ids_to_tokens(loaded("a  12")["input_ids"]) == ["a", "ĠĠ", "1", "2"]
    chat = [{"role": "user", "content": "Hello"}]
    assert "<|im_start|>user\nHello<|im_end|>" in loaded.apply_chat_template(chat, tokenize=False)

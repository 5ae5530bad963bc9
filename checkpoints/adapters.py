"""Files that hold low-rank updates (LoRA) and nothing else: which factors form a product, and its scale.

The update of a weight is scale B A, with scale = alpha / r, r being the rank (Hu et al., arXiv 2106.09685), or
alpha / sqrt(r) where it is rank-stabilized (Kalajdzievski, arXiv 2312.03732). peft writes alpha into an
adapter_config.json beside the factors; trainers of diffusion models write a tensor `alpha` beside each pair.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from checkpoints.errors import CheckpointError
from checkpoints.json_file import read_json
from checkpoints.names import layer_name
from checkpoints.parts import Kind, Part, TensorLayout
from setol.reasons import Reason

ADAPTER_CONFIG = "adapter_config.json"

_TOLD = "peft "
"""How the layout of a file begins whose scale is known from its adapter_config.json."""

_FACTOR = re.compile(r"(?P<stem>.*?)[._]?lora_(?P<side>A|B|embedding_A|embedding_B|down|up)(?P<rest>(?:\.\w+)*)")
_OTHER_SIDE = {"B": "A", "embedding_B": "embedding_A", "up": "down"}
_WRAPPERS = re.compile(r"^(?:base_model\.model\.)+")
_KINDS = {2: Kind.LINEAR, 3: Kind.CONV1D, 4: Kind.CONV2D, 5: Kind.CONV3D}


@dataclass(frozen=True, slots=True)
class Scaling:
    """What an adapter_config.json says about the scale of the products.

    Attributes:
        alpha: lora_alpha.
        patterns: Other alphas, by regular expressions of the ends of layer names (alpha_pattern).
        root: Whether the rank enters by its square root (use_rslora).
    """

    alpha: float
    patterns: Mapping[str, float]
    root: bool

    def of(self, layer: str, rank: int) -> float:
        """Factor on the product B A of a layer."""
        found = (alpha for ending, alpha in self.patterns.items() if re.fullmatch(rf"(?:.*\.)?(?:{ending})", layer))
        return next(found, self.alpha) / (math.sqrt(rank) if self.root else rank)


def layout_beside(file: Path) -> str | None:
    """What the adapter_config.json beside a weight file says, as the layout that is part of the file's identity.

    Args:
        file: A weight file; where a config.json lies there too, the adapter_config.json is taken to be about
            `adapter_model` alone.

    Returns:
        Text that `scaling_told` reads; None where there is no such file, or it is not about this one.

    Raises:
        CheckpointError: It cannot be read, or names no alpha.
    """
    config = file.parent / ADAPTER_CONFIG
    if not config.is_file() or (file.stem != "adapter_model" and (file.parent / "config.json").exists()):
        return None
    try:
        content = read_json(config)
        patterns = {str(name): float(alpha) for name, alpha in (content.get("alpha_pattern") or {}).items()}
        scaling = Scaling(float(content["lora_alpha"]), patterns, bool(content.get("use_rslora", False)))
        for pattern in patterns:
            re.compile(pattern)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        raise CheckpointError(
            f"{config} does not tell the scale of the adapter: need JSON with a number lora_alpha ({error}). "
            "Correct it; without that file, the products are analyzed with the scale 1."
        ) from error
    return _TOLD + json.dumps(asdict(scaling), sort_keys=True, separators=(",", ":"))


def scaling_told(layout: str | None) -> Scaling | None:
    """The scaling that a file's layout tells, None where it tells something else or nothing."""
    return Scaling(**json.loads(layout.removeprefix(_TOLD))) if layout and layout.startswith(_TOLD) else None


def with_products(layouts: Sequence[TensorLayout]) -> tuple[TensorLayout, ...]:
    """Pair the factors of a file that holds no other weights.

    Args:
        layouts: Those of all its tensors, the factors with `Reason.ADAPTER`.

    Returns:
        The same, but a left factor (B, up) whose right factor (A, down) fits has a part, which stands for the
        product, and that one the reason `factor`; factors without the other one have a reason that says so.
    """
    factors = {_key(layout): layout for layout in layouts if layout.reason is Reason.ADAPTER}
    paired: dict[str, TensorLayout] = {}
    for key, left in factors.items():
        if key is None or key[1] not in _OTHER_SIDE:
            continue
        right = factors.get((key[0], _OTHER_SIDE[key[1]], key[2]))
        if right is None:
            continue
        shapes = left.header.shape, right.header.shape
        if _fit(*shapes):
            kind = Kind.EMBEDDING if key[1] == "embedding_B" else _KINDS[len(shapes[1])]
            layer = _WRAPPERS.sub("", layer_name(key[0]))
            product = replace(left, layer=layer, reason=None, parts=(Part(None, kind),), right=right.header.name)
            paired |= {left.header.name: product, right.header.name: replace(right, reason=Reason.FACTOR)}
        else:
            paired |= {each.header.name: replace(each, reason=Reason.FACTOR_MISMATCH) for each in (left, right)}
    return tuple(paired.get(layout.header.name) or _alone(layout) for layout in layouts)


def alpha_beside(layout: TensorLayout) -> str | None:
    """Name of the tensor in which some trainers keep the alpha of a product; it need not be there."""
    key = _key(layout)
    return None if key is None else f"{key[0]}.alpha"


def _key(layout: TensorLayout) -> tuple[str, str, str] | None:
    """What a factor belongs to, which one it is, and the rest of its name, alike in both; None for other tensors."""
    found = _FACTOR.fullmatch(layout.header.name)
    return None if found is None else (found["stem"], found["side"], found["rest"] or "")


def _fit(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Whether B (outputs, r, 1, ...) and A (r, inputs, taps ...) form a product."""
    return (
        len(left) == len(right)
        and len(right) in _KINDS
        and left[1] == right[0]
        and all(length == 1 for length in left[2:])
        and 0 not in (*left, *right)
    )


def _alone(layout: TensorLayout) -> TensorLayout:
    key: Any = _key(layout) if layout.reason is Reason.ADAPTER else None
    return layout if key is None else replace(layout, reason=Reason.FACTOR_ALONE)

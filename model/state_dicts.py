"""State dicts as others save them: somewhere in a file, under the prefixes of wrappers, and not always of this network.

    {"state_dict": {"module.conv1.weight": …}, "epoch": 3}  →  {"conv1.weight": …}

What does not fit is told apart: another network by its name, else keys that are missing, unknown, or of another shape.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from pymaf_data.errors import CheckpointError
from pymaf_data.runs.torch_file import LeftOut

logger = logging.getLogger(__name__)

PYMAF = ("feature_extractor", "deconv_layers", "maf_extractor", "regressor", "dp_head")
"""The first parts of PyMAF's keys."""
RESNET = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")
"""The first parts of a ResNet's keys."""
RELEASED: Mapping[str, tuple[str, Collection[str]]] = {
    "pymaf": ("a PyMAF checkpoint", PYMAF),
    "hmr": ("an HMR (SPIN) checkpoint", (*RESNET[:-1], "fc1", "fc2", "decpose", "decshape", "deccam")),
}
"""By network: what a file of it is called, and the first parts of its keys."""
TORCHVISION: Mapping[str, str] = {"resnet50": "torchvision's ResNet-50", "resnet18": "torchvision's ResNet-18"}
"""What the weights of a trunk are called, by ``ModelOptions.backbone``."""
# What data-parallel training, compilers and training frameworks put before every key.
_WRAPPERS = {"module", "_orig_mod", "model", "net", "network", "generator", "ema", "ema_model"}
_COUNTER = "num_batches_tracked"
# Kept beside what is learned, and in released files copies of the body, its down-sampling and the grid.
_BUFFERS = {"running_mean", "running_var", _COUNTER, "init_pose", "init_shape", "init_cam"}
_COPIES = {"smpl", "Dmap", "points_grid"}
_LEVELS = 3
_SHOWN = 3
_RESNETS: dict[tuple[str, tuple[int, ...]], str] = {
    ("conv2", (2, 2, 2, 2)): "ResNet-18",
    ("conv2", (3, 4, 6, 3)): "ResNet-34",
    ("conv3", (3, 4, 6, 3)): "ResNet-50",
    ("conv3", (3, 4, 23, 3)): "ResNet-101",
    ("conv3", (3, 8, 36, 3)): "ResNet-152",
}

State = dict[str, Tensor]


def find_state(content: Mapping[str, Any], parts: Collection[str], origin: str) -> State:
    """The state dict in a file's content that is most like the wanted network's, without the prefixes of wrappers.

    Args:
        content: what was read.
        parts: the first parts of the wanted network's keys.
        origin: the file, for messages.

    Raises:
        CheckpointError: it holds no tensors by name, or some of its keys have a prefix that the others lack.
    """
    found = dict(_states(content))
    if not found:
        kinds = ", ".join(f"{str(key)[:40]!r} ({_kind(value)})" for key, value in [*content.items()][:6])
        raise CheckpointError(
            f"{origin} holds no weights by name: {kinds or 'it is empty'}",
            expected="the state dict of a network",
            action="save model.state_dict() with torch.save.",
        )
    fits = {path: sum(any(part in parts for part in key.split(".")) for key in state) for path, state in found.items()}
    # An average of the weights is taken only where there is nothing else.
    best = max(found, key=lambda path: (fits[path], "ema" not in path.lower(), len(found[path])))
    others = [repr(path) for path in found if path != best and fits[path] == fits[best] > 0]
    if others:
        logger.warning("%s holds several sets of weights: %r is read, not %s", origin, best, ", ".join(others))
    return _stripped(found[best], parts, origin)


def fitted(state: Mapping[str, Tensor], own: Mapping[str, Tensor], origin: str, wanted: str, action: str) -> State:
    """A state dict that has just the keys and shapes of a network's own, of finite numbers.

    Args:
        state: as found.
        own: the network's.
        origin: the file, for messages.
        wanted: what it should be, for messages.
        action: what to do where it is not.

    Raises:
        CheckpointError: keys are missing, unknown, of another shape or kind, or not finite.
    """
    # Weights saved before PyTorch 0.4.1 lack this counter, which BatchNorm with a momentum never reads.
    lacking = {key: value for key, value in own.items() if key.endswith(_COUNTER) and key not in state}
    state = {**state, **lacking}
    shared = [key for key in own if key in state]
    told = [
        _told("missing", sorted(own.keys() - state.keys())),
        _told("unknown", sorted(state.keys() - own.keys())),
        _told("of another shape", [_shapes(key, state, own) for key in shared if state[key].shape != own[key].shape]),
        _told("of another kind", [_dtypes(key, state, own) for key in shared if _other_kind(state[key], own[key])]),
    ]
    if any(told):
        raise CheckpointError(
            f"{origin} differs from {wanted}, keys: {'; '.join(filter(None, told))}",
            expected=f"the state dict of {wanted}",
            action=action,
        )
    broken = [key for key in own if state[key].is_floating_point() and not bool(torch.isfinite(state[key]).all())]
    if broken:
        raise CheckpointError(
            f"{origin} holds weights that are NaN or infinite, keys: {_told('not finite', broken)}",
            expected="finite weights",
            action="take an earlier checkpoint.",
        )
    return dict(state)


def size_of(state: Mapping[str, Tensor]) -> tuple[int, float]:
    """Of a network by its state dict: its parameters, and the megabytes of all that it holds, the body apart."""
    own = {key: value for key, value in state.items() if not _COPIES & {*key.split(".")}}
    learned = [value for key, value in own.items() if key.rpartition(".")[2] not in _BUFFERS]
    return sum(value.numel() for value in learned), sum(value.nbytes for value in own.values()) / 1e6


def network_of(state: Mapping[str, Tensor]) -> str:
    """What network a state dict is known to be of, with its article; empty where it is none that is known."""
    if any(key.startswith("maf_extractor.") for key in state):
        return RELEASED["pymaf"][0]
    if "decpose.weight" in state:
        return RELEASED["hmr"][0]
    if "layer1.0.conv1.weight" not in state:
        return ""
    blocks = tuple(len({key.split(".")[1] for key in state if key.startswith(f"layer{n}.")}) for n in range(1, 5))
    kind = "conv3" if "layer1.0.conv3.weight" in state else "conv2"
    name = _RESNETS.get((kind, blocks), f"a ResNet of {blocks} blocks")
    plain = state["layer1.0.conv1.weight"].shape[0] == 64
    return f"torchvision's {name}" if plain else "a wide or grouped ResNet"


def _states(content: Mapping[Any, Any], path: str = "", level: int = _LEVELS) -> Iterable[tuple[str, State]]:
    """(where, tensors by name) of each mapping that holds some."""
    tensors = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for key, value in content.items():
        if level and isinstance(key, str) and isinstance(value, Mapping):
            yield from _states(value, f"{path}.{key}" if path else key, level - 1)


def _stripped(state: State, parts: Collection[str], origin: str) -> State:
    """The state without prefixes that all keys share.

    Raises:
        CheckpointError: some keys have a wrapper's prefix and others have not.
    """
    state = {key: value for key, value in state.items() if key != "n_averaged"}  # torch's AveragedModel counts
    heads = _heads(state)
    while len(heads) == 1 and not heads.keys() & {"", *parts}:
        state = {key.partition(".")[2]: value for key, value in state.items()}
        heads = _heads(state)
    for wrapper in heads.keys() & _WRAPPERS - {*parts}:
        other = next(key for key in state if not key.startswith(f"{wrapper}."))
        raise CheckpointError(
            f"{origin}: {heads[wrapper]} of {len(state)} keys begin with '{wrapper}.', others do not ({other[:80]!r})",
            expected="one prefix for all keys, or none",
            action=f"save the state dict of the network alone, or strip '{wrapper}.' from its keys.",
        )
    return _inside(state, origin)


def _heads(state: State) -> Counter[str]:
    """What stands before the first dot, counted; "" for keys without one."""
    return Counter(key.rpartition(".")[0].split(".")[0] for key in state)


def _inside(state: State, origin: str) -> State:
    """Without the wrappers of a part, as in ``feature_extractor.module.conv1.weight``."""
    plain = {key.replace(".module.", ".").replace("._orig_mod.", "."): value for key, value in state.items()}
    if len(plain) != len(state):
        raise CheckpointError(
            f"{origin} holds keys both with and without 'module.'", action="save the state dict of the network alone."
        )
    return plain


def _kind(value: Any) -> str:
    return str(value) if isinstance(value, LeftOut) else type(value).__name__


def _told(what: str, names: list[str]) -> str:
    """``2 missing (a, b)``, the first few; empty where there is none."""
    shown = ", ".join(name[:200] for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} {what} ({shown})" if names else ""


def _shapes(key: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    return f"{key}: {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"


def _dtypes(key: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    return f"{key}: {str(state[key].dtype)[6:]} instead of {str(own[key].dtype)[6:]}"


def _other_kind(found: Tensor, own: Tensor) -> bool:
    return found.is_floating_point() != own.is_floating_point() or found.is_complex() != own.is_complex()

"""Runs one of the finder's networks with LiteRT, on the CPU; each thread has an interpreter of its own."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import AssetMismatch

Array = NDArray[np.float32]


class _Silent:
    """The library below says on the terminal what it makes; while it does, standard error leads nowhere."""

    def __init__(self) -> None:
        self._lock, self._kept = threading.Lock(), -1

    def __enter__(self) -> None:
        self._lock.acquire()
        self._kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)
        self._lock.release()


_SILENT = _Silent()


class Network:
    """A network in TFLite's format.

    Args:
        content: of its file.
        name: for messages.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name, self._own = content, name, threading.local()

    def __call__(self, image: Array, *shapes: tuple[int, ...]) -> list[Array]:
        """What the network makes of an image (S, S, 3): its outputs of these shapes, without the batch's dimension.

        Raises:
            AssetMismatch: it has no output of a shape.
        """
        interpreter = self._interpreter()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        outputs = {tuple(one["shape"].tolist()[1:]): one["index"] for one in interpreter.get_output_details()}
        if absent := [shape for shape in shapes if shape not in outputs]:
            raise AssetMismatch(
                f"{self._name} has no output of shape {absent[0]}",
                expected=f"{', '.join(map(str, shapes))}; it has {', '.join(map(str, outputs))}",
                action="bring the file that `pymaf-data doctor` names.",
            )
        return [np.array(interpreter.get_tensor(outputs[shape])[0]) for shape in shapes]

    def _interpreter(self) -> Any:
        if not hasattr(self._own, "interpreter"):
            from ai_edge_litert.interpreter import Interpreter

            with _SILENT:
                self._own.interpreter = Interpreter(model_content=self._content, num_threads=1)
                self._own.interpreter.allocate_tensors()
        return self._own.interpreter

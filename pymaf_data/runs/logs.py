"""TensorBoard's scalars and images of a run, on a disk that may be full.

TensorBoard writes in a thread of its own, which ends at the first write that fails. Its error reaches the training loop
with the next scalar, or at the end, under the name that every other write of a run gives it.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from pymaf_data.errors import StoreError
from pymaf_data.storage.files import writing_to

logger = logging.getLogger(__name__)

_QUALITY = 90


class Logs:
    """Event files in a folder, as a context manager.

    Args:
        folder: where TensorBoard looks.
        purge_step: what an earlier run told of this step and later ones is forgotten.

    Raises:
        DiskFull, NotWritable: they cannot be written.
    """

    def __init__(self, folder: Path, purge_step: int) -> None:
        self._folder, self._purge_step = folder, purge_step

    def __enter__(self) -> Self:
        self._hook, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            with writing_to(self._folder):
                self._writer = SummaryWriter(str(self._folder), purge_step=self._purge_step)
        except BaseException:
            threading.excepthook = self._hook
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with writing_to(self._folder):
                self._writer.close()
        except (StoreError, OSError) as failed:
            if error is None:
                raise
            logger.info("the logs could not be closed either: %s", failed)  # what ended the run is told first
        finally:
            threading.excepthook = self._hook

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Log one number of one step."""
        with writing_to(self._folder):
            self._writer.add_scalar(name, value, step)

    def add_image(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """Log one image (H, W, 3) RGB of one step, as JPEG."""
        _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        height, width, channels = image.shape
        shown = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=data.tobytes())
        with writing_to(self._folder):
            summary = Summary(value=[Summary.Value(tag=name, image=shown)])
            self._writer._get_file_writer().add_summary(summary, step)  # its own ``add_image`` wants Pillow

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        # A refused write is raised again where the writer is next used; its stack in between says nothing more.
        if not issubclass(failed.exc_type, OSError) or "tensorboard" not in type(failed.thread).__module__:
            self._hook(failed)

"""What a run gathers while it goes on: the table of everybody, the video that is being written, the page's images."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import numpy as np

from pymaf_data.datasets.video import VideoFrames
from pymaf_data.report.html import render
from pymaf_data.report.prediction_page import ShownImage, prediction_page
from pymaf_data.storage.files import LocalFiles

from ..networks.network import Network
from .bodies import Bodies
from .drawn import Drawn, overlay_of
from .seen import Seen
from .videos import AnnotatedVideo, rate_of
from .written import Counts, Table, licences_of

PAGE = "predictions.html"
Drawing = tuple[Seen, Bodies, "Future[Drawn]"]


class Gathered:
    """Takes images in their order; leaves no unfinished video behind.

    Args:
        folder: of the run.
        images: whose rate annotated videos take.
        every: of the frames, how many apart they are.
    """

    def __init__(self, folder: Path, images: VideoFrames, every: int) -> None:
        self._folder, self._images, self._every = folder, images, every
        self._table, self._shown = Table(), list[ShownImage]()
        self._video: AnnotatedVideo | None = None
        self._video_of = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end_video(whole=kind is None)

    def __len__(self) -> int:
        """Persons."""
        return len(self._table)

    def add(self, drawings: list[Drawing]) -> None:
        """Images that are being drawn."""
        for seen, bodies, drawing in drawings:
            drawn = drawing.result()
            self._table.add(seen, bodies, drawn.files)
            if drawn.shown is not None:
                self._shown.append(drawn.shown)
            if seen.file != self._video_of:
                self._end_video()
            if drawn.overlay is not None:
                if self._video is None:
                    rate = rate_of(self._images, seen.file) / self._every
                    self._video = AnnotatedVideo(self._folder / overlay_of(seen.file), rate)
                    self._video_of = seen.file
                self._video.add(drawn.overlay)

    def counts(self) -> Counts:
        """Of all that was added."""
        return self._table.counts()

    def write(self, model: Network, about: dict[str, Any]) -> list[Path]:
        """Write table and page; the table's JSON is the last."""
        self._end_video()
        written = []
        if self._shown:
            told: dict[str, Any] = {
                key: about[key] for key in ("name", "network", "frame", "body", "sha256") if key in about
            }
            told["licences"] = licences_of(about)
            faces = np.asarray(model.body.faces.cpu())
            title, said = f"Predictions of {about['name']}", self.counts().said()
            page = prediction_page(title, told, self._shown, faces, said, len(self))
            LocalFiles(self._folder).write({PAGE: render(page)}, temporary="")
            written = [self._folder / PAGE]
        return [*written, *self._table.write(self._folder, model, about)]

    def _end_video(self, whole: bool = True) -> None:
        if self._video is not None:
            (self._video.close if whole else self._video.discard)()
        self._video = None

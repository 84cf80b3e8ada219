"""``predict`` stopped from outside: what is finished stays whole, nothing is half written, and it says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.model.networks.network import make_network
from pymaf_data.model.networks.options import ModelOptions
from pymaf_data.paths import VARIABLE
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from tests.factories.videos import write_video

FRAMES = 4000


@pytest.fixture(scope="module")
def words(free_body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command's: a checkpoint, a short video and one that takes minutes."""
    folder = tmp_path_factory.mktemp("stopped")
    torch.manual_seed(0)
    options = ModelOptions(view_size=64, backbone="resnet18", pyramid_channels=16, regressor_width=32)
    body = {"name": "free", "digest": free_body.digest, "fingerprint": free_body.fingerprint}
    content = Checkpoint(
        model=make_network(options, free_body, "view").state_dict(), optimizer={}, rng={}, step=1, precision="fp32",
        body=body, stores=[], options={"frame": "view", "model": options.model_dump(mode="json"), "stores": []},
        versions={}, licences={},
    )  # fmt: skip
    path, videos, found = checkpoints.save(content, folder / "run"), folder / "in", folder / "found"
    found.mkdir()
    for name, frames in (("a", 4), ("b", FRAMES)):
        write_video(videos / f"{name}.mp4", frames)
        boxes = [{"image_id": frame, "bbox": [10, 10, 40, 60]} for frame in range(frames)]
        (found / f"{name}.json").write_text(json.dumps(boxes))
    return ["predict", str(path), str(videos), "--persons", str(found), "--save", "overlay", "--page", "0"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_command_that_is_stopped_leaves_what_is_whole(
    words: list[str], tmp_path: Path, number: int, code: int, said: str
) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, VARIABLE: str(tmp_path), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pymaf_data", *words, "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        end = time.monotonic() + 300
        while not (out / "overlay" / ".b.mp4").exists():
            assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(number)
        told, error = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, told) == (code, ""), error
    assert said in error and "the same command begins anew" in error and "Traceback" not in error
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.*")] == ["overlay/a.mp4"]
    assert cv2.VideoCapture(str(out / "overlay" / "a.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 4

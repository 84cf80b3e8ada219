"""What does `predict` cost beside decoding and the network alone? The same folder of JPEG files, two persons on each.

    .venv/bin/python benchmarks/predict.py [CHECKPOINT] [--images 24] [--size 1280x960] [--rounds 5] [--batch 16]

CHECKPOINT is found as `predict` finds it; without one, PyMAF from nothing on the free body, which is as fast.
Candidates take turns; ratios are taken within rounds:

    bare       OpenCV decodes each image and warps its persons' views, the same network in batches, parameters taken
    none       predict --save none --page 0: table and JSON
    overlay, side, glb, obj, page      each alone besides
    usual      what predict writes by default

Bare begins with a network that is ready. So does predict here: what a call on the first image alone takes, start,
network and files, is taken off, and that image with it. Images are counted by the clock, with all that threads do side
by side, and by the time of one core, whoever else uses the machine. The goal is 0.9 of bare.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from _measure import machine, ratio, summary, write

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import to_cv2, view_affine
from pymaf_data.model.checkpoint import checkpoint_path, load_checkpoint
from pymaf_data.model.images import normalise
from pymaf_data.model.inference import for_inference
from pymaf_data.model.networks.network import Network, make_network
from pymaf_data.model.networks.options import ModelOptions
from pymaf_data.model.prediction.options import PredictOptions
from pymaf_data.model.prediction.run import predict
from pymaf_data.paths import DataRoot
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint

CLOCKS = {"clock": time.perf_counter, "core": time.process_time}
WRITTEN: dict[str, dict[str, Any]] = {
    "none": {"save": (), "shown": 0},
    **{name: {"save": (name,), "shown": 0} for name in ("overlay", "side", "glb", "obj")},
    "page": {"save": ()},
    "usual": {},
}


def draw_folder(folder: Path, images: int, size: tuple[int, int]) -> Path:
    """Textured images, and their detections beside them: a person in each half."""
    width, height = size
    listed, persons = [], []
    for k in range(images):
        rough = np.random.default_rng(k).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
        image = cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{k:04d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        listed.append({"id": k, "file_name": f"{k:04d}.jpg"})
        persons += [
            {"image_id": k, "bbox": [left, height // 8, width // 4, 3 * height // 4]}
            for left in (width // 8, 5 * width // 8)
        ]
    path = folder / "persons.json"
    path.write_text(json.dumps({"images": listed, "annotations": persons}))
    return path


def new_checkpoint(folder: Path) -> Path:
    """PyMAF from nothing."""
    body, options = load_body("free"), ModelOptions()
    model = make_network(options, body, "view")
    content = Checkpoint(
        model=model.state_dict(), optimizer={}, rng={}, step=1, precision="fp32",
        body={"name": body.name, "digest": body.digest, "fingerprint": body.fingerprint}, stores=[],
        options={"frame": "view", "model": options.model_dump(mode="json"), "stores": []}, versions={}, licences={},
    )  # fmt: skip
    return checkpoints.save(content, folder / "run")


def bare(model: Network, folder: Path, detections: Path, batch: int) -> int:
    """Decode, warp, predict; returns the images seen."""
    told = json.loads(detections.read_text())
    boxes: dict[int, list[Any]] = {}
    for one in told["annotations"]:
        boxes.setdefault(one["image_id"], []).append(one["bbox"])
    waiting: list[np.ndarray] = []
    device = next(model.parameters()).device

    def look() -> None:
        views = torch.from_numpy(np.stack(waiting)).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode():
            last = model(normalise(views), auxiliary=False).predictions[-1]
            for found in (last.rotation, last.parameters.betas, last.parameters.camera):
                found.cpu().numpy()
        waiting.clear()

    for image in told["images"][1:]:
        pixels = cv2.imread(str(folder / image["file_name"]))
        for x, y, width, height in boxes[image["id"]]:
            affine = view_affine([x + width / 2, y + height / 2, 1.2 * max(width, height)], model.view_size)
            view = cv2.warpAffine(pixels, to_cv2(affine), (model.view_size,) * 2, flags=cv2.INTER_AREA)
            waiting.append(view[..., ::-1])
            if len(waiting) == batch:
                look()
    if waiting:
        look()
    return len(told["images"]) - 1


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--size", default="1280x960")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=WRITTEN, default=[*WRITTEN])
    options = parser.parse_args()
    before, root = machine(), DataRoot.default()
    size = tuple(int(side) for side in options.size.split("x"))
    folder = Path(tempfile.mkdtemp(prefix="bench-predict-"))
    try:
        (folder / "images").mkdir()
        detections = draw_folder(folder / "images", options.images, (size[0], size[1]))
        path = checkpoint_path(options.checkpoint, root) if options.checkpoint else new_checkpoint(folder)
        model = for_inference(load_checkpoint(path, root.assets))
        given = {"subject": str(path), "persons": detections, "batch_size": options.batch, "workers": options.workers}

        def predicting(what: dict[str, Any], *inputs: Path) -> None:
            shutil.rmtree(folder / "out", ignore_errors=True)
            predict(PredictOptions(**(given | what), inputs=inputs, out=folder / "out", device="cpu"))

        def spent(work: Callable[[], object]) -> np.ndarray:
            start = [clock() for clock in CLOCKS.values()]
            work()
            return np.array([clock() - before for clock, before in zip(CLOCKS.values(), start, strict=True)])

        def of_all_but_one(what: dict[str, Any]) -> np.ndarray:
            alone = spent(lambda: predicting(what, folder / "images" / "0000.jpg"))
            return spent(lambda: predicting(what, folder / "images")) - alone

        candidates: dict[str, Callable[[], np.ndarray]] = {
            "bare": lambda: spent(lambda: bare(model, folder / "images", detections, options.batch))
        }
        candidates |= {name: partial(of_all_but_one, WRITTEN[name]) for name in options.only}
        rates: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in candidates} for clock in CLOCKS}
        for number in range(1 + options.rounds):
            for name, work in candidates.items():
                seconds = work()
                for clock, rate in zip(CLOCKS, (options.images - 1) / seconds, strict=True):
                    rates[clock][name] += [float(rate)] * (number > 0)
    finally:
        shutil.rmtree(folder)
    write(
        "predict",
        {
            "what": f"images per second, JPEG of {options.size} px with two persons each, batches of {options.batch}, "
            f"{torch.get_num_threads()} threads of torch, {options.workers} of predict",
            "goal": {"of_bare": 0.9},
            "images": options.images,
            "rounds": options.rounds,
            **{
                f"images_per_second_by_{clock}": {name: summary(values) for name, values in found.items()}
                for clock, found in rates.items()
            },
            **{
                f"of_bare_by_{clock}": {name: ratio(found, name, "bare") for name in options.only}
                for clock, found in rates.items()
            },
            "machine": before,
        },
    )


if __name__ == "__main__":
    main()

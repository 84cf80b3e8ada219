"""Batches made on a device are the workers' own: on the CPU through the same code, and on a GPU where there is one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

from pymaf_data.errors import ConfigError, StoreDamaged
from pymaf_data.geometry import affines
from pymaf_data.loader import AugmentationOptions, Batch, Loader, LoaderOptions
from pymaf_data.loader.augment import draw
from pymaf_data.loader.decoders import decoder_of
from pymaf_data.loader.device import DeviceViews
from pymaf_data.loader.device_warp import warp_views
from pymaf_data.loader.images import FILTER_FROM, gain_rows, gain_units, reductions, scale_channels, warp_view
from pymaf_data.storage import Store, open_store

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]


@pytest.fixture(scope="module")
def stores(store: Store, make_store: Callable[..., Store]) -> list[Store]:
    return [store, make_store(unfitted=(3, 5))]


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_that_of_the_workers(stores: list[Store], body, atlas, device: str) -> None:
    """Of two stores, with persons who have no fit, under every augmentation."""
    rows = [0, 3, 21, 23, 25, 7, 8, 9, 38, 30]
    here, there = (
        Loader(stores, body, atlas, LoaderOptions(workers=0, device=where)).batch(rows, 1) for where in (None, device)
    )
    assert {value.device.type for value in vars(there).values()} == {device}
    assert there.image.is_contiguous(memory_format=torch.channels_last)
    back = there.to("cpu")
    for name, value in vars(here).items():
        got = getattr(back, name)
        assert got.dtype == value.dtype and got.shape == value.shape
        assert name in ("image", "uv") or torch.equal(got, value), name
    torch.testing.assert_close(back.uv, here.uv, rtol=0, atol=1e-6)
    levels = (back.image.int() - here.image.int()).abs()
    # Where the GPU decodes, its DCT and colours are rounded otherwise.
    assert levels.float().mean() < 1 and (decoder_of(torch.device(device)).on_device or levels.max() <= 1)


@pytest.mark.parametrize("device", DEVICES)
def test_order_workers_and_a_run_that_goes_on_are_as_ever(store: Store, body, atlas, device: str) -> None:
    def epoch(skip: int = 0, **options: object) -> list[Batch]:
        small = LoaderOptions(batch_size=6, view_size=16, maps=False, **options)
        return list(Loader([store], body, atlas, small).epoch(2, skip))

    wanted, found = epoch(workers=0), epoch(workers=2, device=device)
    assert [batch.row.tolist() for batch in found] == [batch.row.tolist() for batch in wanted]
    for one, again in zip(found[2:], epoch(2, workers=1, device=device), strict=True):
        assert all(torch.equal(value, getattr(again, name)) for name, value in vars(one).items())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [200, 512])
def test_the_warp_is_opencv_s_on_noise_at_every_scale_and_beyond_the_border(size: int, device: str) -> None:
    """Noise has the steepest edges that there are: a sample 1/32 px aside is several levels off."""
    rng, K = np.random.default_rng(0), 10
    wide = AugmentationOptions(rotation_std=60, upright_probability=0.2)
    drawn = draw(wide, 0, 0, np.arange(K), K)
    moved = affines.compose(drawn.view.affine(), affines.crop_to_view(size))
    moved[0, 0, 2] += 90  # a part of the view lies beyond the crop
    matrix, reduction = affines.to_cv2(moved), reductions(moved)
    crops = rng.integers(0, 256, (K, size, size, 3)).astype(np.uint8)
    there = torch.from_numpy(crops.copy()).to(device)
    units = torch.from_numpy(gain_units(drawn.gain).astype(np.int32)).to(device)
    found = warp_views(there, matrix, reduction, units, 224).cpu().numpy()
    coarse = reduction > FILTER_FROM
    assert coarse.any() == (size == 512) and not coarse.all()
    for k in range(K):
        view = np.empty((224, 224, 3), np.uint8)
        warp_view(crops[k], matrix[k], reduction[k], view, np.empty_like(crops[k]))
        scale_channels(view, gain_rows(drawn.gain[k : k + 1], 224)[0])
        off = np.abs(found[k].astype(int) - view)
        # OpenCV's filter rounds a tie now and then to the other side; the colours may make two levels of it.
        assert off.max() <= 2 * coarse[k] and (off > 0).mean() < 1e-4
    assert (found[0] == 0).all(2).mean() > 0.1


@pytest.mark.parametrize("device", DEVICES)
def test_labels_go_over_in_one_copy_as_they_are(device: str) -> None:
    given = {
        "flags": torch.tensor([True, False, True]),
        "number": torch.arange(6, dtype=torch.int64).reshape(2, 3),
        "none": torch.zeros((0, 3)),
        "turned": torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T,
        "single": torch.tensor([1.5, float("nan")]),
    }
    found = DeviceViews(torch.device(device)).labels(given)
    assert len({value.untyped_storage().data_ptr() for value in found.values()}) == 1
    for name, value in given.items():
        assert torch.equal(found[name].cpu().nan_to_num(), value.nan_to_num()) and found[name].dtype == value.dtype


@pytest.mark.parametrize("device", DEVICES)
def test_a_damaged_crop_stops_the_epoch_and_is_named(make_store, body, atlas, device: str) -> None:
    store = make_store()
    shard = store.path / "image" / "c" / "1" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    loader = Loader(
        [open_store(store.path)], body, atlas, LoaderOptions(batch_size=4, view_size=16, maps=False, device=device)
    )
    with pytest.raises(StoreDamaged, match="image"):
        list(loader.epoch(0))


def test_a_gpu_s_decoder_is_taken_where_there_is_one_that_works(store: Store, monkeypatch, caplog) -> None:
    """torchvision stood in for: it decodes into planes, channels first."""
    gpu, crops = torch.device("cuda"), store.array("image")
    with caplog.at_level(logging.INFO):
        assert decoder_of(gpu).name == "the CPU"
    assert "not decoded by nvImageCodec" in caplog.text and "not decoded by torchvision" in caplog.text

    def decode_jpeg(streams: list[torch.Tensor], mode: str, device: torch.device) -> list[torch.Tensor]:
        assert mode == "rgb" and device == gpu
        images = [simplejpeg.decode_jpeg(stream.numpy().tobytes(), fastdct=False) for stream in streams]
        return [torch.from_numpy(image).permute(2, 0, 1) for image in images]

    fake: Any = ModuleType("torchvision.io")
    fake.decode_jpeg, fake.ImageReadMode = decode_jpeg, SimpleNamespace(RGB="rgb")
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.io", fake)
    found = decoder_of(gpu)
    assert found.name == "torchvision's nvJPEG" and found.on_device
    whole = [slice(None)] * 2
    assert torch.equal(found(crops, [7, 2], whole), decoder_of(torch.device("cpu"))(crops, [7, 2], [slice(0, 400)] * 2))
    monkeypatch.setattr(fake, "decode_jpeg", lambda *_, **__: [torch.zeros((3, 8, 8), dtype=torch.uint8)] * 2)
    with pytest.raises(StoreDamaged, match="row 7 of"):
        found(crops, [7, 2], whole)


def test_evaluation_is_made_as_ever_and_processes_are_refused(store: Store, body, atlas) -> None:
    plain = Loader([store], body, atlas, LoaderOptions(device="cpu")).plain()
    assert plain.options.device is None
    with pytest.raises(ConfigError, match="worker_kind"):
        LoaderOptions.parse({"device": "cpu", "worker_kind": "process"}, "test")

"""A training loop of your own over the loader's batches, made where you train.

    python examples/train_loop.py data/stores/sample-train.zarr [cuda]

With a device the loader decodes and warps there in batches, augmented as PyMAF's are; without one its threads do, and
`batch.to(device)` takes the result over. Either way a batch is tensors by name: `vars(batch)` is the dict.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

import pymaf_data
from pymaf_data.body import load_body
from pymaf_data.geometry.rotations import rotation_6d_to_matrix
from pymaf_data.loader import Batch, Loader, LoaderOptions
from pymaf_data.render import load_atlas


class Small(nn.Module):
    """Image (B, 3, 64, 64) to pose (B, 24, 3, 3) and shape (B, 10): where your network stands."""

    def __init__(self) -> None:
        super().__init__()
        layers = [layer for a, b in ((3, 16), (16, 32)) for layer in (nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.last = nn.Linear(32, 24 * 6 + 10)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Rotation matrices and betas."""
        out = self.last(self.features(image.float() / 255 - 0.5))
        upright = torch.tensor([1.0, 0, 0, 1, 0, 0], device=out.device)  # of a 6D rotation: the identity
        return rotation_6d_to_matrix(upright + out[:, :144].view(-1, 24, 6)), out[:, 144:]


def loss_of(pose: Tensor, betas: Tensor, batch: Batch) -> Tensor:
    """Where there is a fit, against it; flags say what there is, and what is missing teaches nothing."""
    known = batch.has_fit.float()
    error = (pose - batch.pose).square().mean((1, 2, 3)) + 1e-3 * (betas - batch.betas).square().mean(1)
    return (known * error).sum() / known.sum().clamp_min(1)


def main(path: str, device: str = "cpu") -> None:
    """Train for two epochs."""
    body, atlas = load_body("free"), load_atlas("free")
    options = LoaderOptions(batch_size=16, view_size=64, map_size=16, maps=False, device=device)
    loader = Loader([pymaf_data.open_store(path)], body, atlas, options)
    torch.manual_seed(0)
    model = Small().to(device)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for epoch in range(2):
        total = 0.0
        for batch in loader.epoch(epoch):  # a function of seed and epoch: `skip=k` goes on after k batches
            loss = loss_of(*model(batch.image), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch}: loss {total / len(loader.rows):.3f} over {len(loader.rows)} persons")
    for name, values in vars(batch).items():
        print(f"{name:20} {tuple(values.shape)!s:20} {values.dtype} on {values.device}")


if __name__ == "__main__":
    main(*sys.argv[1:])

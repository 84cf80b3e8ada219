"""The paper's experiments are recipes: each network's graph is what its name says, and each one learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import ConfigError
from pymaf_data.loader.mixture import mixture
from pymaf_data.model.losses import loss_terms
from pymaf_data.model.networks import maf, network
from pymaf_data.model.networks.network import IUVLogits, PartLogits, make_network
from pymaf_data.model.networks.options import ModelOptions
from pymaf_data.model.options import TrainOptions
from pymaf_data.model.shipped import START, shipped
from pymaf_data.paths import DataRoot
from pymaf_data.recipe import known_recipes, load_recipe, pipeline, train_values
from pymaf_data.runs import checkpoints

GRID, MESH = 441, 431
# Points of each step, channels that it reads, side of its map at a view of 64 px, steps supervised, head.
GRAPHS: dict[str, tuple[list[int], list[int], list[int], int, type | None]] = {
    "table4-global-final": ([], [], [], 1, None),
    "table4-global": ([], [], [], 3, None),
    "table4-grid": ([GRID] * 3, [256] * 3, [16] * 3, 3, None),
    "table4-mesh": ([MESH] * 3, [256] * 3, [16] * 3, 3, None),
    "table4-grid-pyramid": ([GRID] * 3, [256] * 3, [4, 8, 16], 3, None),
    "table4-mesh-pyramid": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, None),
    "table5-none": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, None),
    "table5-parts-prediction": ([GRID, MESH, MESH], [256, 256, 25], [4, 8, 16], 3, PartLogits),
    "table5-parts-feature": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, PartLogits),
    "table5-parts-product": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, PartLogits),
    "table5-dense-prediction": ([GRID, MESH, MESH], [256, 256, 27], [4, 8, 16], 3, IUVLogits),
    "table5-dense-feature": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, IUVLogits),
    "table6-mean-mesh": ([MESH] * 3, [256] * 3, [4, 8, 16], 3, IUVLogits),
    "table6-grid": ([GRID, MESH, MESH], [256] * 3, [4, 8, 16], 3, IUVLogits),
    "iterations-1": ([GRID], [256], [4], 1, IUVLogits),
    "iterations-2": ([GRID, MESH], [256] * 2, [4, 8], 2, IUVLogits),
    "earlier-layers": ([GRID, MESH, MESH], [128, 64, 32], [4, 8, 16], 3, IUVLogits),
}
# Of two stages, the first of which is one of those; the second is on a mixture, with the shares and fits named.
AFTER = {
    "baseline": "table4-global-final",
    "pymaf-no-auxiliary": "table4-mesh-pyramid",
    "pymaf": "table5-dense-feature",
}
SPIN, RELEASED = (0.3, 0.6, 0.1), (0.5, 0.3, 0.2)
MIXTURES = {
    **dict.fromkeys(("mixture-spin", "pymaf", "pymaf-no-auxiliary", "baseline"), (SPIN, "spin")),
    "mixture-released": (RELEASED, "spin"),
    "mixture-eft": (RELEASED, "eft"),
}
OTHERS = {"demo", "world", "images", "eft-coco"}


def options_of(name: str) -> TrainOptions:
    return TrainOptions.parse(train_values(load_recipe(name), DataRoot(Path("none"))), name)


def test_every_experiment_of_the_paper_is_here_and_names_what_was_published() -> None:
    assert {*known_recipes()} == {*GRAPHS, *MIXTURES, *OTHERS}
    recipes = {name: load_recipe(name) for name in GRAPHS}
    assert {name: recipes[name].published.get("M3", {}).get("MPJPE") for name in GRAPHS if "table4" in name} == {
        "table4-global-final": 84.1,
        "table4-global": 84.3,
        "table4-grid": 80.5,
        "table4-mesh": 79.6,
        "table4-grid-pyramid": 79.7,
        "table4-mesh-pyramid": 76.8,
    }
    for name, recipe in recipes.items():
        assert (recipe.name, recipe.train["frame"], recipe.train["joints3d"]) == (name, "camera", "measured")
        assert pipeline(recipe, DataRoot(Path("none")))[-1].options.benchmarks == ("h36m-p2",)
    assert not recipes["iterations-1"].published, "what a recipe reports of itself is not taken over"


def test_the_demo_goes_on_with_the_loss_that_the_network_that_ships_has_learned_by() -> None:
    assert options_of("demo").loss == options_of("world").loss
    said = checkpoints.read(shipped(START)).options["loss"]
    assert {name: said[name] for name in ("part", "coarse", "keypoints3d", "betas")} == {
        name: getattr(options_of("world").loss, name) for name in ("part", "coarse", "keypoints3d", "betas")
    }


@pytest.mark.parametrize("name", [*MIXTURES, "eft-coco"])
def test_mixtures_have_their_shares_and_fits_and_go_on_from_their_first_stage(name: str) -> None:
    recipe, root = load_recipe(name), DataRoot(Path("none"))
    steps = pipeline(recipe, root)
    options = next(step.options for step in steps if step.stage == "train" and step.options.name == name)
    assert (options.frame, options.joints3d, options.epochs, options.epoch_length) == ("camera", "measured", 60, None)
    fits = {
        step.options.store.stem: step.options.fits[0].split(":")[0] for step in steps if step.stage == "attach-fits"
    }
    if name == "eft-coco":
        assert (fits, options.mixture, options.model) == ({"coco-train": "eft"}, {}, options_of("pymaf").model)
        return
    shares, source = MIXTURES[name]
    assert options.mixture == dict(zip(("h36m", "coco+mpii+lsp+lspet", "mpi-inf-3dhp"), shares, strict=True))
    assert [fits[f"{store}-train"] for store in ("coco", "mpii", "lspet", "mpi-inf-3dhp")] == [source] * 3 + ["spin"]
    stores = [(path.stem.rsplit("-", 1)[0], path.stem) for path in options.stores]
    rows = [np.arange(3) + 3 * number for number in range(len(stores))]
    assert mixture(options.mixture, stores, rows, None).shares == pytest.approx(shares)
    before = {**AFTER, "mixture-eft": "eft-coco"}.get(name)
    assert options.start_from == (str(root.runs / before) if before else None)
    if before is not None:
        assert options_of(before).model == options.model
        assert [step.options.name for step in steps if step.stage == "train"] == [before, name]
        assert recipe.published.keys() == ({"M3"} if "mixture" not in name else set())


@pytest.mark.parametrize("name", [*GRAPHS, *AFTER])
def test_a_graph_is_what_its_name_says_and_learns(
    name: str, small: None, free_body: Any, make_batch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    points, channels, sides, supervised, head = GRAPHS[AFTER.get(name, name)]
    options = options_of(name)
    torch.manual_seed(0)
    model = make_network(options.model.model_copy(update={"view_size": 64, "dropout": 0.0}), free_body, options.frame)
    read: list[tuple[int, int, int]] = []
    sample = maf.sample_points
    monkeypatch.setattr(
        maf,
        "sample_points",
        lambda maps, places: (read.append((places.shape[1], maps.shape[1], maps.shape[2])), sample(maps, places))[1],
    )
    batch = make_batch(2, view=64)
    image = batch.image.float() / 255
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(5):
        output = model(image)
        loss = sum(loss_terms(output, batch, options.loss).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert read[: len(points)] == list(zip(points, channels, sides, strict=True))
    assert len(output.predictions) == options.model.iterations + 1
    assert len(output.predictions[output.supervised]) == supervised
    assert type(output.dense) is (head or type(None))
    untaught = [key for key, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert not untaught, f"made for nothing: {untaught}"


def test_steps_hand_gradients_on_only_where_the_last_alone_is_supervised(
    small: None, free_body: Any, make_batch: Callable[..., Any]
) -> None:
    batch = make_batch(1, view=64)
    for options in ({"network": "hmr", "auxiliary": "none"}, {"auxiliary": "none"}):
        for supervise, reached in (("all", False), ("last", True)):
            chosen = ModelOptions(**options, supervise=supervise, view_size=64, dropout=0)
            model = make_network(chosen, free_body, "view").eval()
            handed: list[torch.Tensor] = []
            decode = model.decode

            def keep(parameters: network.Parameters, kept: Any = handed, decode: Any = decode) -> network.Prediction:
                kept.append(parameters.betas)
                if parameters.betas.requires_grad:
                    parameters.betas.retain_grad()
                return decode(parameters)

            model.decode = keep  # type: ignore[method-assign]
            model(batch.image.float() / 255).predictions[-1].parameters.betas.square().sum().backward()
            assert (handed[1].grad is not None) is reached, (options, supervise)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"pyramid": False}, "start: mean_mesh, or features: grid"),
        ({"auxiliary": "none", "reads": "product"}, "wants an auxiliary head"),
        ({"reads": "prediction", "iterations": 2}, "the last of 3 iterations"),
        ({"features": "grid", "start": "mean_mesh"}, "leave start out"),
        ({"network": "hmr", "features": "grid"}, "network hmr has no features"),
        ({"network": "hmr", "pyramid": False}, "network hmr has no pyramid"),
    ],
)
def test_networks_that_cannot_be_are_refused(model: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        TrainOptions.parse({"model": model}, "test")


def test_any_option_is_set_by_its_place_and_unknown_ones_are_refused() -> None:
    given = {"model": {"view_size": 96}, "loss": {"pose": 1}, "set": ["loss.keypoints2d=200", "model.dropout=0"]}
    options = TrainOptions.parse(given, "test")
    assert (options.loss.keypoints2d, options.loss.pose, options.model.view_size, options.model.dropout) == (
        200,
        1,
        96,
        0,
    )
    assert "set" not in options.model_dump()
    for wrong in (
        "loss.nope=1",
        "steps.many=1",
        "nope=1",
        "epoch_length=9",
    ):  # the last is of a mixture, and none is said
        with pytest.raises(ConfigError):
            TrainOptions.parse({"set": [wrong]}, "test")


def test_a_recipe_that_leads_back_to_itself_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(f"name: a\nextends: {second}\n")
    second.write_text(f"name: b\nextends: {first}\n")
    with pytest.raises(ConfigError, match="lead back"):
        load_recipe(str(first))
    first.write_text("name: a\nextends: table5-dense-feature\ntrain: {model: {dropout: 0}}\n")
    recipe = load_recipe(str(second))
    assert recipe.train["model"] == {"auxiliary": "iuv", "dropout": 0}
    assert recipe.train["frame"] == "camera"

"""Makes the embedded backbone: a small ViT trained on pictures drawn by formula.

From the class token alone the network names each picture's procedural class and its pose (position, angle,
scale) and redraws it twice in 16x16, as it lies and centred; the heads that do so are thrown away, and the
rest is written as fp16 safetensors under timm's names.

    python -m training.pretrain --seed 0 --out FILE.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from training.loop.optimization import optimizer_tensors, restore_optimizer
from training.pretrain.families.family import FACTORS, SIDE
from training.pretrain.formula_colours import colour_pictures
from training.pretrain.formula_pictures import CLASSES, FormulaPictures, draw_pictures
from training.run_directory import part

LOG = logging.getLogger(__name__)

EMBED_DIM, DEPTH, NUM_HEADS, PATCH = 192, 6, 3, 8
FACTOR_BINS = (64, 64, 40, 12)  # one pixel; nine degrees, as dSprites turns; steps of about 15 % in size
FACTOR_WEIGHTS = (0.5, 0.5, 0.5, 0.15)
SMALLEST_SCALE = 0.15
REDRAWN_SIDE = 16
REDRAWING_WEIGHTS = (5.0, 5.0)  # as it lies, centred
CENTRED_REACH = 2.5  # half a side of the centred picture, in standard deviations of its ink
LOG_EVERY = 50


@dataclass(frozen=True)
class PretrainConfig:
    """One run: its pictures, its schedule, where it writes. Runs of one config draw the same pictures."""

    out: Path
    steps: int = 16_000
    seed: int = 0
    pictures: int = 300_000
    batch: int = 64
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    save_every: int = 500


@dataclass(frozen=True)
class Batch:
    """Pictures [B,3,64,64] in -1..1, their masks [B,1,64,64] in 0..1, class numbers [B], factors [B,4]."""

    images: Tensor
    masks: Tensor
    classes: Tensor
    factors: Tensor


class PretrainNet(nn.Module):
    """The ViT and the heads it is trained with: one linear map from the class token to all answers."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = embedded_vit()
        with torch.no_grad():
            cast("Tensor", self.vit.pos_embed).copy_(_waves_by_position(SIDE // PATCH, EMBED_DIM))
        self.heads = nn.Linear(EMBED_DIM, CLASSES + sum(FACTOR_BINS) + 2 * REDRAWN_SIDE**2)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits of class and factors [B,C] and the mask redrawn twice [B,256], from images [B,3,64,64]."""
        token = self.vit.forward_head(self.vit.forward_features(images))
        sizes = [CLASSES, *FACTOR_BINS, REDRAWN_SIDE**2, REDRAWN_SIDE**2]
        return list(torch.split(self.heads(token).float(), sizes, dim=1))


def embedded_vit() -> VisionTransformer:
    """The embedded backbone's architecture with timm's own random start, without a classifier."""
    vit = VisionTransformer(
        img_size=SIDE,
        patch_size=PATCH,
        embed_dim=EMBED_DIM,
        depth=DEPTH,
        num_heads=NUM_HEADS,
        num_classes=0,
    )
    for block in cast("Iterable[Any]", vit.blocks):
        block.attn.fused_attn = False  # at 65 tokens plain attention trains twice as fast on a CPU
    return vit


def _waves_by_position(grid: int, width: int) -> Tensor:
    """A position embedding [1,1+N,D] that knows the plane from the start: waves along rows and columns."""
    frequencies = 20.0 ** -(torch.arange(width // 4) / (width // 4))
    phases = torch.arange(grid)[:, None] * frequencies
    waves = torch.cat([phases.sin(), phases.cos()], dim=1)
    rows, columns = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    patches = torch.cat([rows, columns], dim=2).flatten(0, 1)
    return torch.cat([torch.zeros(1, width), patches])[None]


def factor_targets(factors: Tensor) -> list[Tensor]:
    """Factors [B,4] (FACTORS' order) as one soft distribution over bins [B,C] each; NaN stays NaN.

    Neighbouring bins share the weight, because a pose a little off is a little wrong.
    """
    where = torch.stack(
        [
            (factors[:, 0] + 1) / 2,
            (factors[:, 1] + 1) / 2,
            factors[:, 2] / (2 * torch.pi) % 1,
            torch.log(factors[:, 3] / SMALLEST_SCALE) / -np.log(SMALLEST_SCALE),
        ]
    )
    targets = []
    for name, at, bins in zip(FACTORS, where, FACTOR_BINS, strict=True):
        gap = at[:, None] * bins - (torch.arange(bins) + 0.5)
        if name == "angle":
            gap = (gap + bins / 2) % bins - bins / 2
        targets.append(torch.softmax(-(gap**2) / 2, dim=1))
    return targets


def centred(masks: Tensor) -> Tensor:
    """Masks [B,1,64,64] in 16x16 [B,1,16,16], moved and scaled by their ink's mean and deviation, not turned.

    What is left is the form and how it is turned, which no class number has to be known for.
    """
    line = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    share = (masks + 1e-6) / (masks + 1e-6).sum((2, 3), keepdim=True)
    x, y = (share.sum(2) @ line)[..., None, None], (share.sum(3) @ line)[..., None, None]
    spread = (share * ((line - x) ** 2 + (line[:, None] - y) ** 2)).sum((2, 3)).sqrt()
    reach = (CENTRED_REACH / 2**0.5 * spread).reshape(-1, 1, 1)
    corners = torch.cat([reach, 0 * reach, x[:, 0], 0 * reach, reach, y[:, 0]], dim=2).reshape(-1, 2, 3)
    # Twice as fine and then halved: a large shape's edges would be skipped otherwise.
    size = [len(masks), 1, 2 * REDRAWN_SIDE, 2 * REDRAWN_SIDE]
    grid = F.affine_grid(corners, size, align_corners=False)
    return F.avg_pool2d(F.grid_sample(masks, grid, align_corners=False), 2)


def pretrain_loss(answers: list[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
    """The weighted sum of all losses, and its parts [7] in the order of the log.

    Redrawing is measured against the batch's own variance: 1 is no better than an even grey.
    """
    *logits, redrawn, redrawn_centred = answers
    parts = [F.cross_entropy(logits[0], batch.classes)]
    for answer, target in zip(logits[1:], factor_targets(batch.factors), strict=True):
        known = ~target.isnan().any(dim=1, keepdim=True)
        each = -(torch.log_softmax(answer, dim=1) * target.nan_to_num()).sum(1, keepdim=True)
        parts.append((each * known).sum() / known.sum().clamp(min=1))
    small = F.adaptive_avg_pool2d(batch.masks, REDRAWN_SIDE)
    for drawn, wanted in ((redrawn, small), (redrawn_centred, centred(batch.masks))):
        parts.append(F.mse_loss(drawn, wanted.flatten(1)) / wanted.var())
    stacked = torch.stack(parts)
    return stacked @ torch.tensor([1.0, *FACTOR_WEIGHTS, *REDRAWING_WEIGHTS]), stacked.detach()


class PretrainRun:
    """Network, optimizer and step of a run; saved beside the output, so that an interrupted run goes on."""

    def __init__(self, config: PretrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.net = PretrainNet().train()
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(self.net, config.weight_decay), betas=(0.9, 0.98), fused=True
        )
        self.step = 0
        self.checkpoint = config.out.with_suffix(".checkpoint.safetensors")
        self.log = config.out.with_suffix(".csv")

    def resume(self) -> None:
        """Go on from the checkpoint if there is one; raises ValueError if another config wrote it."""
        if not self.checkpoint.exists():
            return
        with safe_open(self.checkpoint, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            state = json.loads(file.metadata()["state"])
        if state["config"] != _plain(self.config):
            raise ValueError(
                f"{self.checkpoint} was written by {state['config']}, expected {_plain(self.config)}"
            )
        self.net.load_state_dict(part(tensors, "net."))
        restore_optimizer(self.optimizer, part(tensors, "optimizer."))
        self.step = int(state["step"])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in optimizer_tensors(self.optimizer).items()}
        state = json.dumps({"config": _plain(self.config), "step": self.step})
        partial = self.checkpoint.with_suffix(".partial")
        save_file(tensors, partial, metadata={"state": state})
        partial.replace(self.checkpoint)

    def train(self, pictures: FormulaPictures, until: int | None = None) -> None:
        """Train to step `until` (by default to the end), logging and saving on the way."""
        started = time.monotonic()
        seen: list[list[float]] = []
        for _ in range(self.step, self.config.steps if until is None else until):
            parts, accuracy = self._train_step(pictures)
            seen.append([*parts.tolist(), accuracy])
            if self.step % LOG_EVERY == 0 or self.step == self.config.steps:
                self._log_line([*np.mean(seen, axis=0), time.monotonic() - started])
                seen.clear()
            if self.step % self.config.save_every == 0:
                self.save()

    def _train_step(self, pictures: FormulaPictures) -> tuple[Tensor, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, self.config)
        batch = self._batch(pictures)
        with torch.autocast("cpu", torch.bfloat16):
            answers = self.net(batch.images)
        loss, parts = pretrain_loss(answers, batch)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return parts, float((answers[0].argmax(1) == batch.classes).float().mean())

    def _batch(self, pictures: FormulaPictures) -> Batch:
        """The batch of this step: an order for each epoch, colours for each step, both from the seed."""
        size, total = self.config.batch, len(pictures.classes)
        epoch, place = divmod(self.step, total // size)
        order = np.random.default_rng([self.config.seed, 2, epoch]).permutation(total)
        rows = order[place * size : (place + 1) * size]
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        masks = torch.from_numpy(pictures.masks[rows])[:, None].float() / 255
        images = colour_pictures(masks, plain_share_at(self.step, self.config), generator)
        classes, factors = pictures.classes[rows], pictures.factors[rows]
        return Batch(images, masks, torch.from_numpy(classes), torch.from_numpy(factors))

    def _log_line(self, values: list[float]) -> None:
        head = ["step", "class", *FACTORS, "redrawn", "centred", "accuracy", "seconds"]
        if not self.log.exists():
            self.log.write_text(",".join(head) + "\n")
        with self.log.open("a") as log:
            log.write(",".join([str(self.step), *(f"{value:.4g}" for value in values)]) + "\n")
        LOG.info(
            "step %d %s", self.step, dict(zip(head[1:], (round(float(v), 3) for v in values), strict=True))
        )

    def write_weights(self) -> str:
        """Write the ViT's weights as fp16 safetensors, without the heads; returns the file's SHA-256."""
        tensors = {name: tensor.half().contiguous() for name, tensor in self.net.vit.state_dict().items()}
        # One entry only: safetensors writes several in no fixed order, and the SHA-256 would change with it.
        save_file(tensors, self.config.out, metadata={"pretrain": json.dumps(_plain(self.config))})
        return hashlib.sha256(self.config.out.read_bytes()).hexdigest()


def learning_rate_at(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return float(config.learning_rate * (0.01 + 0.99 * (1 + np.cos(np.pi * done)) / 2))


def plain_share_at(step: int, config: PretrainConfig) -> float:
    """All pictures plain at first, three fifths later on: colour at once delays the first progress."""
    return max(0.6, 1 - step / config.steps)


def _parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in net.parameters() if p.ndim > 1 and p.shape[0] > 1]
    others = [p for p in net.parameters() if not (p.ndim > 1 and p.shape[0] > 1)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _plain(config: PretrainConfig) -> dict[str, Any]:
    """The config without its path: what decides the weights."""
    return {key: value for key, value in asdict(config).items() if key != "out"}


def _parse(arguments: list[str] | None) -> PretrainConfig:
    parser = argparse.ArgumentParser(prog="python -m training.pretrain", description=__doc__)
    for field in fields(PretrainConfig):
        required = field.name == "out"
        kind: Any = Path if required else type(field.default)
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, required=required, default=None if required else field.default)
    return PretrainConfig(**vars(parser.parse_args(arguments)))


def main(arguments: list[str] | None = None) -> int:
    """Draw the pictures, train (or go on training), write the weights."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = _parse(arguments)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    run = PretrainRun(config)
    run.resume()
    LOG.info("drawing %d pictures of %d classes", config.pictures, CLASSES)
    pictures = draw_pictures(config.pictures, config.seed)
    run.train(pictures)
    run.save()
    LOG.info("wrote %s, SHA-256 %s", config.out, run.write_weights())
    return 0

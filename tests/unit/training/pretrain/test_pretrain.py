from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from adapters.vit.backbone import EMBEDDED_BACKBONE, load_backbone
from training.data.embedded import Split, load_embedded
from training.pretrain.formula_colours import colour_pictures
from training.pretrain.formula_pictures import FormulaPictures, draw_pictures
from training.pretrain.pretrain import (
    FACTOR_BINS,
    Batch,
    PretrainConfig,
    PretrainRun,
    centred,
    embedded_vit,
    factor_targets,
    learning_rate_at,
    main,
    plain_share_at,
    pretrain_loss,
)


@pytest.fixture(scope="module")
def pictures() -> FormulaPictures:
    return draw_pictures(64, 0)


def _config(folder: Path, steps: int = 4) -> PretrainConfig:
    return PretrainConfig(out=folder / "vit.safetensors", steps=steps, pictures=64, batch=8, save_every=2)


def test_the_command_writes_fp16_timm_weights_without_a_head(tmp_path: Path) -> None:
    out = tmp_path / "new" / "vit.safetensors"
    assert main(["--steps", "2", "--pictures", "32", "--batch", "8", "--out", str(out)]) == 0
    tensors = load_file(out)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert set(tensors) == set(embedded_vit().state_dict())
    assert not [name for name in tensors if "head" in name]
    assert tensors["patch_embed.proj.weight"].shape == (192, 3, 8, 8)
    assert 2_600_000 < sum(tensor.numel() for tensor in tensors.values()) < 2_800_000
    assert (
        out.with_suffix(".csv")
        .read_text()
        .startswith("step,class,x,y,angle,scale,redrawn,centred,accuracy,seconds\n2,")
    )


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path, pictures: FormulaPictures) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = PretrainRun(_config(tmp_path / "whole"))
    whole.train(pictures)
    first = PretrainRun(_config(tmp_path / "parts"))
    first.train(pictures, until=3)  # saved at step 2: the third step is lost and made again
    second = PretrainRun(_config(tmp_path / "parts"))
    second.resume()
    assert second.step == 2
    second.train(pictures)
    assert second.write_weights() == whole.write_weights()


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path, pictures: FormulaPictures) -> None:
    run = PretrainRun(_config(tmp_path))
    run.train(pictures, until=2)
    with pytest.raises(ValueError, match="was written by"):
        PretrainRun(_config(tmp_path, steps=5)).resume()


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path: Path, pictures: FormulaPictures) -> None:
    config = PretrainConfig(out=tmp_path / "v.safetensors", steps=30, pictures=64, batch=16, warmup_steps=5)
    run = PretrainRun(config)
    losses = [float(run._train_step(pictures)[0][-1]) for _ in range(30)]
    assert sum(losses[-4:]) < sum(losses[:4]) - 0.4


def test_colours_stay_in_range_and_repeat_with_the_generator(pictures: FormulaPictures) -> None:
    masks = torch.from_numpy(pictures.masks)[:, None].float() / 255
    one, two = (colour_pictures(masks, 0.5, torch.Generator().manual_seed(5)) for _ in range(2))
    assert one.shape == (64, 3, 64, 64)
    assert torch.equal(one, two)
    assert one.min() >= -1
    assert one.max() <= 1


def test_plain_pictures_are_grey_with_light_ink_and_coloured_ones_are_not(pictures: FormulaPictures) -> None:
    masks = torch.from_numpy(pictures.masks)[:, None].float() / 255
    plain = colour_pictures(masks, 1.0, torch.Generator().manual_seed(5))
    coloured = colour_pictures(masks, 0.0, torch.Generator().manual_seed(5))
    assert torch.equal(plain[:, 0], plain[:, 2])
    assert ((plain[32:, :1] > 0) == (masks[32:] > 0.5)).float().mean() > 0.97
    assert (coloured[:, 0] - coloured[:, 2]).abs().mean() > 0.1


def test_targets_peak_at_the_factor_and_angles_wrap() -> None:
    factors = torch.tensor([[-1.0, 0.999, -0.01, 0.99], [0.01, -0.49, 2 * torch.pi - 0.01, 0.16]])
    x, y, angle, scale = factor_targets(factors)
    assert [target.shape[1] for target in (x, y, angle, scale)] == list(FACTOR_BINS)
    assert x.argmax(1).tolist() == [0, 32]
    assert y.argmax(1).tolist() == [63, 16]
    assert angle.argmax(1).tolist() == [39, 39]
    assert angle[0, 0] > 0.2
    assert scale.argmax(1).tolist() == [11, 0]
    assert torch.allclose(x.sum(1), torch.ones(2))


def test_a_centred_mask_is_the_same_wherever_it_lies_and_whatever_its_size() -> None:
    masks = torch.zeros(3, 1, 64, 64)
    masks[0, :, 8:24, 10:18] = 1
    masks[1, :, 38:54, 50:58] = 1
    masks[2, :, 4:36, 20:36] = 1
    one, moved, larger = centred(masks)
    assert torch.allclose(one, moved, atol=0.02)
    assert (one - larger).abs().mean() < 0.05
    turned = centred(masks.transpose(2, 3))[0]
    assert torch.allclose(turned, one.transpose(1, 2), atol=0.02)
    assert (turned - one).abs().mean() > 0.2


def test_an_empty_mask_has_a_centred_one_too() -> None:
    assert centred(torch.zeros(1, 1, 64, 64)).isfinite().all()


def test_unlabelled_factors_cost_nothing_and_leave_finite_gradients() -> None:
    logits = [torch.randn(2, count, requires_grad=True) for count in (5, *FACTOR_BINS, 256, 256)]
    factors = torch.tensor([[torch.nan] * 4, [0.0, torch.nan, 0.0, 0.5]])
    batch = Batch(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64), torch.tensor([0, 1]), factors)
    loss, parts = pretrain_loss(logits, batch)
    torch.autograd.backward(loss)
    assert parts[2] == 0
    assert parts[[0, 1, 3, 4, 5, 6]].gt(0).all()
    gradients = [logit.grad for logit in logits]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    assert gradients[1] is not None
    assert gradients[1][0].eq(0).all()
    assert gradients[1][1].ne(0).any()


def test_schedules_start_rise_and_fall(tmp_path: Path) -> None:
    config = PretrainConfig(out=tmp_path / "v", steps=1000, warmup_steps=100)
    rates = [learning_rate_at(step, config) for step in range(1000)]
    assert int(np.argmax(rates)) in {99, 100}
    assert max(rates) == pytest.approx(config.learning_rate)
    assert rates[-1] < 0.02 * config.learning_rate
    assert (plain_share_at(0, config), plain_share_at(999, config)) == (1, 0.6)


@pytest.mark.slow
def test_the_weights_that_come_with_the_package_tell_digits_apart() -> None:
    backbone = load_backbone(EMBEDDED_BACKBONE)

    def features(split: Split, first: int) -> tuple[torch.Tensor, torch.Tensor]:
        pictures, labels = load_embedded("digits", split)
        images = torch.from_numpy(np.stack([np.asarray(one) for one in pictures[:first]])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return backbone.encode(backbone.embed(images)), torch.tensor(labels[:first])

    learnt, labels = features("train", 600)
    tested, answers = features("val", 200)
    ridge = learnt.T @ learnt + 0.001 * len(learnt) * torch.eye(learnt.shape[1])
    probe = torch.linalg.solve(ridge, learnt.T @ torch.eye(10)[labels])
    assert ((tested @ probe).argmax(1) == answers).float().mean() >= 0.93  # random weights reach about 0.8

"""Training of a predictor: early stopping on the validation split, resumable, the same result for the same seed."""

import copy
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic
import torch
from scipy.special import ndtri
from scipy.stats import rankdata
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from utils.calibration import level_of, set_level, set_norm_statistics
from utils.checkpoint import Checkpoint, load_checkpoint, only_checkpoint, read_checkpoint, save_checkpoint
from utils.config import ModelSettings, OutputWeights, Seed, Settings, root_files
from utils.data import Split, parts_of_like_length, read_split
from utils.model import Predictor
from utils.prediction import correlation, predict, require_length
from utils.progress import progress_bar
from utils.runtime import (
    InputError,
    atomic_path,
    file_sha256,
    fingerprint,
    one_at_a_time,
    pick_device,
    root_path,
    shown,
)

logger = logging.getLogger(__name__)


class TrainingSettings(Settings):
    """Settings of a training run (configs/training/NAME.yaml)."""

    model: str
    checkpoint: OutputWeights = ""
    epochs: int = pydantic.Field(30, ge=1)
    patience: int = pydantic.Field(10, ge=1)
    batch_size: int = pydantic.Field(64, ge=2)
    learning_rate: float = pydantic.Field(0.002, gt=0)
    weight_decay: float = pydantic.Field(0.0, ge=0)
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    gradient_clip: float = pydantic.Field(1.0, gt=0)
    ema_decay: float = pydantic.Field(0.0, ge=0, lt=1)
    max_shift: int = pydantic.Field(0, ge=0, le=2**20)
    label_transform: Literal["none", "log2", "normal_scores"] = "none"
    precision: Literal["float32", "bfloat16"] = "float32"
    norm_statistics: Literal["set", "running"] = "set"
    norm_momentum: float = pydantic.Field(0.1, gt=0, le=1)
    pretrained: str = ""
    seed: Seed = 1
    device: str = "auto"


FEWEST_VALID = 10  # rows of a validation split: a line through one or two fits whatever is predicted
NORM_MESSAGES = 1024  # training messages that the statistics of BatchNorm are taken from


def epoch_batches(n: int, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the rows of each random batch of an epoch; a rest of one row is left out, as BatchNorm needs two."""
    order = rng.permutation(n)
    batches = [order[start : start + batch_size] for start in range(0, n, batch_size)]
    return [rows for rows in batches if len(rows) > 1]


def start_from(model: Predictor, path: Path) -> int:
    """Copy the convolutions and the norms between them of another checkpoint, of as many layers or fewer.

    Returns:
        The number of convolutions copied; those above keep their random weights.

    Raises:
        InputError: it has more layers, or a tensor of another shape.
    """
    state = {
        key: value
        for key, value in read_checkpoint(path)["model_state_dict"].items()
        if key.startswith(("conv1.", "conv_layers.", "ln_layers."))
    }
    own = model.state_dict()
    for key, value in state.items():
        if key not in own or own[key].shape != value.shape:
            raise InputError(f"{shown(path)}: its '{key}' does not fit the model to be trained (key 'pretrained')")
    model.load_state_dict(state, strict=False)
    return sum(key.startswith("conv") and key.endswith(".weight") for key in state)


def training_label(label: np.ndarray, transform: str) -> np.ndarray:
    """Return what the network learns, float64 (n, targets): labels, transformed, with mean 0 and deviation 1.

    Raises:
        InputError: labels that have no logarithm.
    """
    label = label.astype(np.float64)
    if transform == "log2":
        if (label <= 0).any():
            raise InputError("label_transform: log2 needs labels above 0; use none or normal_scores")
        label = np.log2(label)
    elif transform == "normal_scores":  # Blom (1958), Statistical Estimates and Transformed Beta-Variables
        label = ndtri((rankdata(label, axis=0) - 0.375) / (len(label) + 0.25))
    return (label - label.mean(axis=0)) / label.std(axis=0)


def _require_valid(train: Split, valid: Split, where: str) -> None:
    """Check that the validation split can choose an epoch and is of the same kind as the training split.

    Raises:
        InputError: it is too small, or has other tracks or labels; ``where`` names the data set.
    """
    if len(valid) < FEWEST_VALID:
        raise InputError(
            f"{where}: {len(valid)} validation rows; at least {FEWEST_VALID} choose the best epoch and the scale of "
            "the predictions: make the data set again with more messages or a larger valid_share"
        )
    for what, here, there in (
        ("tracks", valid.tracks, train.tracks),
        ("labels a message", valid.label.shape[1], train.label.shape[1]),
    ):
        if here != there:
            raise InputError(f"{where}: its valid split has {here} {what}, its train split {there}; make it again")


class Trainer:
    """One training run: model, optimiser, schedule and log, which are saved and taken up again together."""

    def __init__(self, settings: TrainingSettings, model_settings: ModelSettings, train: Split, valid: Split) -> None:
        if train.tracks != model_settings.network.in_channels:
            raise InputError(
                f"{model_settings.dataset}: {train.tracks} tracks, but the model's network.in_channels is "
                f"{model_settings.network.in_channels}"
            )
        if train.label.shape[1] != model_settings.network.num_targets:
            raise InputError(
                f"{model_settings.dataset}: {train.label.shape[1]} labels a message, but the model's "
                f"network.num_targets is {model_settings.network.num_targets}"
            )
        _require_valid(train, valid, model_settings.dataset)
        self.settings, self.train, self.valid = settings, train, valid
        self.device = pick_device(settings.device)
        torch.manual_seed(settings.seed)
        model = Predictor(**model_settings.network.model_dump())
        model.bn1.momentum = model.bn2.momentum = settings.norm_momentum
        for split in (train, valid):
            require_length(model, split, model_settings.dataset)
        if settings.pretrained:
            copied = start_from(model, root_path(settings.pretrained))
            logger.info("starting from conv1 to conv%d of %s", copied, settings.pretrained)
        self.model = model.to(self.device)
        self.average = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay), use_buffers=True
        )
        label = train.label.astype(np.float64)
        if (label == label[0]).all(axis=0).any():
            raise InputError(f"{model_settings.dataset}: all training labels are the same")
        self.mean, self.std = label.mean(axis=0), label.std(axis=0)
        self.target = training_label(label, settings.label_transform).astype(np.float32)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = len(epoch_batches(len(train), settings.batch_size, np.random.default_rng(0)))
        self.schedule = (
            torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, settings.learning_rate, total_steps=steps * settings.epochs
            )
            if settings.schedule == "one_cycle"
            else torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)
        )
        self.epoch = 0
        self.best_loss, self.best_epoch = float("inf"), 0
        self.best_state: dict = {}
        self.best_level = (np.ones(label.shape[1]), np.zeros(label.shape[1]))  # slope and intercept
        self.log: list[dict] = []
        self.replaces = ""  # hash of the file whose place the checkpoint takes

    @property
    def evaluated(self) -> Predictor:
        """The model whose predictions count: the running average of the weights when there is one."""
        return self.average.module if self.settings.ema_decay else self.model

    @property
    def finished(self) -> bool:
        """Whether the run is over: all epochs, or ``patience`` epochs without a better validation loss."""
        return self.epoch >= self.settings.epochs or self.epoch - self.best_epoch >= self.settings.patience

    def run_epoch(self) -> None:
        """Train one epoch, validate, and remember the best state."""
        settings = self.settings
        rng = np.random.default_rng((settings.seed, self.epoch))
        torch.manual_seed(settings.seed * 100_003 + self.epoch)
        target = torch.from_numpy(self.target)
        self.model.train()
        losses = []
        batches = epoch_batches(len(self.train), settings.batch_size, rng)
        for rows in progress_bar(batches, desc=f"epoch {self.epoch + 1}/{settings.epochs}", leave=False):
            parts = parts_of_like_length(rows, self.train.length)
            rows, shift = np.concatenate(parts), int(rng.integers(settings.max_shift + 1))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                y_hat = self.model.predict_parts(self.train.batch(part, self.device, shift) for part in parts)
            loss = torch.nn.functional.mse_loss(y_hat.float(), target[rows].to(self.device))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip)
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            losses.append(loss.item())
        if settings.norm_statistics == "set":
            rows = np.random.default_rng(settings.seed).permutation(len(self.train))[:NORM_MESSAGES]
            set_norm_statistics(self.evaluated.eval(), self.train, rows)
        y_hat = predict(self.evaluated, self.valid)
        y = (self.valid.label - self.mean) / self.std
        slope, intercept = level_of(y, y_hat)
        valid_loss = float(np.mean((intercept + slope * y_hat - y) ** 2))
        self.epoch += 1
        self.log.append(
            {
                "epoch": self.epoch,
                "train_loss": float(np.mean(losses)),
                "valid_loss": valid_loss,
                "valid_r": correlation(y[:, 0], y_hat[:, 0]),
                "learning_rate": self.optimizer.param_groups[0]["lr"],
            }
        )
        if not np.isfinite(valid_loss):
            raise InputError(f"the loss is not a number in epoch {self.epoch}; lower learning_rate")
        if valid_loss < self.best_loss:
            self.best_loss, self.best_epoch = valid_loss, self.epoch
            self.best_state = copy.deepcopy(self.evaluated.state_dict())
            self.best_level = slope, intercept

    def save(self, path: Path, run: str) -> None:
        """Write everything that is needed to go on."""
        more = {
            "average": self.average.state_dict(), "optimizer": self.optimizer.state_dict(), "run": run,
            "schedule": self.schedule.state_dict(), "epoch": self.epoch, "best_loss": self.best_loss,
            "best_epoch": self.best_epoch, "best_state": self.best_state,
            "best_level": [part.tolist() for part in self.best_level], "log": self.log, "replaces": self.replaces,
        }  # fmt: skip
        save_checkpoint(path, self.model, {}, **more)

    def resume(self, path: Path, run: str) -> None:
        """Go on from a saved state when there is one of this same run."""
        if not path.is_file():
            return
        content = read_checkpoint(path, self.device)
        if content.get("run") != run:
            logger.info("%s is of other settings; starting anew", shown(path))
            return
        try:
            self._take_up(content)
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:100]
            raise InputError(f"{shown(path)}: a damaged state ({reason}); --overwrite trains from the start") from None
        logger.info("going on after epoch %d", self.epoch)

    def _take_up(self, content: dict) -> None:
        self.evaluated.load_state_dict(content["best_state"])  # whether it fits
        self.model.load_state_dict(content["model_state_dict"])
        self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.epoch, self.log = int(content["epoch"]), [dict(row) for row in content["log"]]
        self.best_loss, self.best_epoch = float(content["best_loss"]), int(content["best_epoch"])
        if not 1 <= self.best_epoch <= self.epoch == len(self.log):
            raise ValueError("epochs that its log has not")
        self.best_state = content["best_state"]
        slope, intercept = content["best_level"]
        self.best_level = np.array(slope), np.array(intercept)


def other_facts(checkpoint: Checkpoint, settings: TrainingSettings, network: dict, facts: dict) -> list[str]:
    """Return what tells a checkpoint from the one that a run would make: nothing where it is of such a run.

    Settings that are newer than the checkpoint had their default then.
    """
    training = checkpoint.training
    if not training.get("settings"):
        return ["not made by this training"]
    if training.get("run") == facts["run"]:
        return []
    defaults = {key: field.default for key, field in TrainingSettings.model_fields.items()}
    before, now = defaults | training["settings"], settings.model_dump()
    other = [key for key in now if key not in ("device", "checkpoint") and before[key] != now[key]]
    arguments = checkpoint.model.arguments
    other += [f"network.{key}" for key, value in network.items() if arguments.get(key, value) != value]
    other += [key for key in ("data_sha256", "pretrained_sha256") if training.get(key, facts[key]) != facts[key]]
    return other


def _is_finished(checkpoint: Path, model_settings: ModelSettings, settings: TrainingSettings, facts: dict) -> bool:
    """Return whether a checkpoint that is there is of this run.

    Raises:
        InputError: it is of other settings, not of this program, or damaged.
    """
    remedy = "--overwrite replaces it, checkpoint=FILE trains into another file"
    try:
        loaded = load_checkpoint(model_settings, path=checkpoint)
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from None
    other = other_facts(loaded, settings, model_settings.network.model_dump(), facts)
    if other:
        of = ", ".join(other[:4])
        raise InputError(f"{shown(checkpoint)}: is there already and of another training ({of}); {remedy}")
    return True


def _replaced(state: Path, run: str) -> str | None:
    """Return the hash of the file that a stopped run was told to replace; None without such a run."""
    try:
        content = read_checkpoint(state) if state.is_file() else {}
    except InputError:  # a damaged one agrees to nothing
        return None
    return content.get("replaces") if content.get("run") == run else None


def run_training(settings: TrainingSettings, model_settings: ModelSettings, results: Path, overwrite: bool) -> Path:
    """Train a model and write its checkpoint; ``results`` gets ``log.csv`` and the state to resume from.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: the checkpoint is there, of other settings or not made by this training, and not to be overwritten.
    """
    dataset = root_path(model_settings.dataset)
    train, valid = read_split(dataset, "train"), read_split(dataset, "valid")
    data_sha256 = file_sha256(dataset)
    start = file_sha256(root_files(settings.pretrained, "pretrained")[0]) if settings.pretrained else ""
    network = model_settings.network.model_dump()
    deciding = settings.model_dump(exclude={"device", "checkpoint"})
    run = fingerprint(settings=deciding, network=network, data=data_sha256, pretrained=start)
    facts = {"run": run, "dataset": dataset.name, "data_sha256": data_sha256, "pretrained_sha256": start}
    checkpoint = root_path(settings.checkpoint) if settings.checkpoint else only_checkpoint(model_settings)
    with one_at_a_time(results / ".lock", f"training of {shown(checkpoint)}"):
        there = file_sha256(checkpoint) if checkpoint.is_file() else ""
        agreed = overwrite or not there or _replaced(results / "last.pth", run) == there
        if not agreed and _is_finished(checkpoint, model_settings, settings, facts):
            logger.info("%s is already trained with these settings (--overwrite trains it again)", shown(checkpoint))
            return checkpoint
        trainer = Trainer(settings, model_settings, train, valid)
        trainer.replaces = there
        if not overwrite:
            trainer.resume(results / "last.pth", run)
        _train(trainer, checkpoint, results, facts)
    return checkpoint


def _train(trainer: Trainer, checkpoint: Path, results: Path, facts: dict) -> None:
    """Train until the run is over and write the checkpoint; ``facts`` says of which run and data."""
    while not trainer.finished:
        trainer.run_epoch()
        with atomic_path(results / "log.csv") as temporary:  # before the state, which says that the epoch is over
            pd.DataFrame(trainer.log).to_csv(temporary, index=False, float_format="%.5g")
        trainer.save(results / "last.pth", facts["run"])
        logger.info("epoch %(epoch)d: train %(train_loss).4f valid %(valid_loss).4f r %(valid_r).4f", trainer.log[-1])
    trainer.evaluated.load_state_dict(trainer.best_state)
    set_level(trainer.evaluated, *trainer.best_level)
    training = {
        **facts,
        "settings": trainer.settings.model_dump(),
        "seed": trainer.settings.seed,
        "label_scaling": {"mean": trainer.mean.tolist(), "std": trainer.std.tolist()},
        "best_epoch": trainer.best_epoch,
        "valid_loss": trainer.best_loss,
        "valid_r": trainer.log[trainer.best_epoch - 1]["valid_r"],
    }
    save_checkpoint(checkpoint, trainer.evaluated, training)
    logger.info("%s: best epoch %d, validation r %.4f", shown(checkpoint), trainer.best_epoch, training["valid_r"])

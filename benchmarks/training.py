"""Training on messages padded to 12,288 nt, against the plain computation at full length.

Run: python benchmarks/training.py [--config configs/models/hl_predictor_yeast.yaml] [--batches 6] [--memory]

Both take the same batches of the data set through the same weights without dropout (whose random numbers differ) and
compute loss and gradients: the plain way with PyTorch's modules over all 12,288 positions, ours over the messages' own
length. Printed are the largest differences of losses and gradients and the ratio of the times, which is that of an
epoch, as batches are drawn at random. --memory trains 40 batches of a made-up set of 13,000 messages in a process of
its own and prints the most memory it held.
"""

import argparse
import multiprocessing
import resource
import time

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.plain import plain_forward
from utils.config import ModelSettings, NetworkSettings, load_settings
from utils.data import Split, parts_of_like_length, read_split
from utils.model import Predictor
from utils.runtime import root_path
from utils.training import Trainer, TrainingSettings, epoch_batches


def step(model: Predictor, split: Split, rows: np.ndarray, plain: bool) -> tuple[float, list[torch.Tensor], float]:
    """Return loss, gradients and seconds of one batch."""
    parts = parts_of_like_length(rows, split.length)
    rows = np.concatenate(parts)
    y = torch.from_numpy(split.label[rows])
    model.zero_grad(set_to_none=True)
    started = time.perf_counter()
    if plain:
        y_hat = plain_forward(model, split.batch(rows)[0])
    else:
        y_hat = model.predict_parts(split.batch(part) for part in parts)
    loss = F.mse_loss(y_hat, y)
    loss.backward()
    seconds = time.perf_counter() - started
    return loss.item(), [parameter.grad.clone() for parameter in model.parameters()], seconds


def compare(settings: ModelSettings, batches: int, batch_size: int) -> None:
    """Print the differences and the ratio of times."""
    split = read_split(root_path(settings.dataset), "train")
    torch.manual_seed(0)
    model = Predictor(**settings.network.model_dump() | {"dropout": 0.0}).train()
    drawn = epoch_batches(len(split), batch_size, np.random.default_rng(0))[: batches + 1]
    losses, gradients, times = [], [], np.zeros(2)
    for number, rows in enumerate(drawn):
        ours, plain = (step(model, split, rows, plain) for plain in (False, True))
        losses.append(abs(ours[0] - plain[0]))
        scale = max(float(g.abs().max()) for g in plain[1])
        gradients.append(max(float((a - b).abs().max()) for a, b in zip(ours[1], plain[1], strict=True)) / scale)
        if number:  # the first batch warms up
            times += ours[2], plain[2]
    share = split.length.mean() / split.codes.shape[1]
    padded = split.codes.shape[1]
    print(f"{batches} batches of {batch_size} messages padded to {padded}, of which {100 * share:.0f} % is used")
    print(f"largest difference of the loss {max(losses):.1e}; of a gradient {max(gradients):.1e} of the largest one")
    print(f"ours {times[0]:.2f} s, plain {times[1]:.2f} s: {times[1] / times[0]:.1f} times as fast")


def large_training(messages: int, batches: int) -> None:
    """Train a few batches of a made-up set of whole messages; print the peak of memory."""
    rng = np.random.default_rng(0)
    length = np.clip(rng.lognormal(8.0, 0.6, messages), 300, 12_288).astype(np.int32)
    codes = np.zeros((messages, 12_288), dtype=np.uint8)
    for row, end in enumerate(length):
        codes[row, :end] = 1 << rng.integers(0, 4, end)
    label = rng.normal(size=(messages, 1)).astype(np.float32)
    split = Split(codes, label, length, [str(row) for row in range(messages)], 6)
    few = Split(codes[:64], label[:64], length[:64], split.id[:64], 6)
    model = ModelSettings(name="large", checkpoint="", dataset="made up", network=NetworkSettings(num_layers=6))
    trainer = Trainer(TrainingSettings(model="large", epochs=1), model, split, few)
    trainer.model.train()
    for rows in epoch_batches(messages, 64, rng)[:batches]:
        step(trainer.model, split, rows, plain=False)
        trainer.optimizer.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{messages} messages of mean {length.mean():.0f} nt, {batches} batches of 64: at most {peak:.2f} GiB")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/models/hl_predictor_yeast.yaml", help="model config")
    parser.add_argument("--batches", type=int, default=6, help="batches to time; default 6")
    parser.add_argument("--batch-size", type=int, default=32, help="messages; default 32")
    parser.add_argument("--memory", action="store_true", help="peak memory of training on 13,000 messages")
    arguments = parser.parse_args(argv)
    if arguments.memory:
        process = multiprocessing.get_context("spawn").Process(target=large_training, args=(13_000, 40))
        process.start()
        process.join()
        return
    compare(load_settings(ModelSettings, arguments.config), arguments.batches, arguments.batch_size)


if __name__ == "__main__":
    main()

"""Trains the network on data/own_network.h5, in plain PyTorch, and writes its weights: data/own_network.pth."""

from pathlib import Path

import h5py
import torch
from network import SmallNetwork

DATA = Path(__file__).resolve().parents[2] / "data"


def read(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one-hot sequences (n, 4, length) and labels (n,)."""
    with h5py.File(DATA / "own_network.h5") as file:
        sequence, label = file[f"{split}_sequence"][:], file[f"{split}_label"][:]
    return torch.from_numpy(sequence).float(), torch.from_numpy(label).flatten()


def correlation(model: torch.nn.Module, X: torch.Tensor, y: torch.Tensor) -> float:
    """Return Pearson's r of predictions and labels."""
    with torch.no_grad():
        return float(torch.corrcoef(torch.stack([model.eval()(X), y]))[0, 1])


def main(seed: int = 1, epochs: int = 30) -> None:
    """Keep the weights that are best on the validation split."""
    if not (DATA / "own_network.h5").is_file():
        raise SystemExit("error: data/own_network.h5: no such data set; simulate and build it first (README.md)")
    torch.manual_seed(seed)
    (X, y), valid, test = read("train"), read("valid"), read("test")
    model, best = SmallNetwork(), -1.0
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(X)).split(64):
            loss = torch.nn.functional.mse_loss(model(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (now := correlation(model, *valid)) > best:
            best = now
            torch.save(model.state_dict(), DATA / "own_network.pth")
    model.load_state_dict(torch.load(DATA / "own_network.pth", weights_only=True))
    print(f"valid r {best:.3f}, test r {correlation(model, *test):.3f}")


if __name__ == "__main__":
    main()

"""A small network of one's own: two convolutions, a pool of width 3 between them, the maximum over positions."""

from torch import Tensor, nn


class SmallNetwork(nn.Module):
    """Predicts one number from one-hot sequences (batch, 4, length).

    Args:
        channels: of both convolutions.
    """

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.motifs = nn.Sequential(nn.Conv1d(4, channels, 9, padding=4), nn.BatchNorm1d(channels), nn.ReLU())
        self.pool = nn.MaxPool1d(3)
        self.combinations = nn.Conv1d(channels, channels, 3, padding=1)
        self.head = nn.Linear(channels, 1)

    def forward(self, X: Tensor) -> Tensor:
        """Return (batch,)."""
        x = self.combinations(self.pool(self.motifs(X))).relu()
        return self.head(x.amax(dim=2)).squeeze(1)

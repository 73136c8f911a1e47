"""Networks that stand for the user's, as they are written in a file of theirs."""

import torch
from torch import nn

from utils.sequence import encode, one_hot


class DeepSEALike(nn.Module):
    """Convolutions of width 8 without padding, ReLU, max-pools of 4, dropout; dense layers of a fixed length."""

    def __init__(self, channels=(12, 10, 8), length=200, targets=3):
        super().__init__()
        first, second, third = channels
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(4, first, 8), nn.Conv1d(first, second, 8), None
        self.conv3 = nn.Conv1d(second, third, 8)
        self.pool, self.dropout, self.relu = nn.MaxPool1d(4, 4), nn.Dropout(0.2), nn.ReLU(inplace=True)
        self.flat = third * ((((length - 7) // 4) - 7) // 4 - 7)
        self.dense = nn.Sequential(nn.Linear(self.flat, 20), nn.ReLU(), nn.Linear(20, targets), nn.Sigmoid())

    def forward(self, X):
        x = self.dropout(self.pool(self.relu(self.conv1(X))))
        x = self.dropout(self.pool(self.relu(self.conv2(x))))
        x = self.relu(self.conv3(x))
        return self.dense(x.view(x.size(0), self.flat))


class BassetLike(nn.Module):
    """Convolutions of width 19, 11 and 7 with padding, BatchNorm, ReLU, max-pools of 3, 4 and 4; dense layers."""

    def __init__(self, channels=8, length=240, targets=2):
        super().__init__()
        blocks, before = [], 4
        for width, pool in ((19, 3), (11, 4), (7, 4)):
            convolution = nn.Conv1d(before, channels, width, padding=width // 2)
            blocks += [convolution, nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(pool)]
            before = channels
        self.trunk = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(channels * (length // 48), 10), nn.BatchNorm1d(10), nn.ReLU(),
                                  nn.Dropout(0.3), nn.Linear(10, targets))  # fmt: skip

    def forward(self, X):
        return self.head(self.trunk(X))


class TwoWords(nn.Module):
    """conv1 counts the matches with two words above 2; conv2 adds the first to the second 9 nt later, by a pool of 3.

    Its neuron fires 6 where both words stand, whatever the place of each within the reach of the pool.
    """

    WORDS = "UGUAA", "CCUGA"

    def __init__(self):
        super().__init__()
        self.words, self.pair = nn.Conv1d(4, 2, 5, padding=2), nn.Conv1d(2, 1, 4, bias=False)
        self.pool = nn.MaxPool1d(3)
        with torch.no_grad():
            self.words.weight.copy_(torch.stack([one_hot(encode(word)) for word in self.WORDS]))
            self.words.bias.fill_(-2)
            self.pair.weight.zero_()
            self.pair.weight[0, 0, 0] = self.pair.weight[0, 1, 3] = 1

    def forward(self, X):
        return self.pair(self.pool(self.words(X).relu())).amax(dim=2)


class Gated(nn.Module):
    """A squeeze-and-excitation gate, a mean over all positions, stands before the second convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.squeeze = nn.Conv1d(4, 4, 5), nn.AdaptiveAvgPool1d(1)
        self.second = nn.Conv1d(4, 4, 5)

    def forward(self, X):
        x = self.first(X)
        return self.second(x * self.squeeze(x).sigmoid()).mean(dim=(1, 2))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Conv1d(4, 4, 5), nn.GroupNorm(2, 4), nn.Conv1d(4, 4, 5)

    def forward(self, X):
        return self.second(self.norm(self.first(X))).mean(dim=(1, 2))


class Flat(nn.Module):
    """Two-dimensional convolutions cannot be read."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(1, 4, (4, 7))

    def forward(self, X):
        return self.wide(X.unsqueeze(1)).mean(dim=(1, 2, 3))


class Undecided(nn.Module):
    """What it does depends on values: before its second convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(4, 4, 5), nn.Conv1d(4, 4, 5)

    def forward(self, X):
        x = self.first(X)
        if x.mean() > 0:
            x = -x
        return self.second(x).mean(dim=(1, 2))


class Moody(nn.Module):
    """Gives other numbers than a trace of it shows: it overwrites a map under another name."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(4, 4, 5), nn.Conv1d(4, 4, 5)

    def forward(self, X):
        x = self.first(X)
        y = x
        y *= 3
        return self.second(x).mean(dim=(1, 2))


class WithTracks(nn.Module):
    """Reads six tracks and has control flow behind its convolutions, which does not matter."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(6, 5, 5), nn.Conv1d(5, 3, 3, dilation=2)

    def forward(self, X, mask=None):
        x = self.second(nn.functional.max_pool1d(self.first(X).relu(), 2))
        x = x if mask is None else x * mask
        return x.mean(dim=(1, 2)) if x.mean() > 0 else x.amax(dim=(1, 2))


def not_a_network():
    return "no network"
